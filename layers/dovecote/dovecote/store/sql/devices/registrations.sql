-- Read the devices of a user, the oldest first.
-- Safe: A plain read along the primary key.
select user_id, device_session_id, platform, dead_at, created_at, updated_at
from dovecote.push_devices
where user_id = %(user_id)s
order by created_at, device_session_id
