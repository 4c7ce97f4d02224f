-- Read a page of a user's devices in the order of their sessions, or the device of one session.
-- Safe: A plain read along the primary key, up to the limit.
select user_id, device_session_id, platform, dead_at, created_at, updated_at
from dovecote.push_devices
where user_id = %(user_id)s
  and device_session_id > %(after)s
  and device_session_id = coalesce(%(device_session_id)s, device_session_id)
order by device_session_id
limit %(limit)s
