-- Read the devices of users, the oldest first.
-- Safe: A plain read along the primary key.
select user_id, device_session_id, endpoint, dead_at is not null as dead
from dovecote.push_devices
where user_id = any (%(user_ids)s::text[])
order by user_id, created_at, device_session_id
