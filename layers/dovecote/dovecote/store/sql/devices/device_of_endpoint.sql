-- Read the device that uses an endpoint.
-- Safe: A plain read of one row along the index of endpoints.
select user_id, device_session_id, platform, token, endpoint, dead_at is not null as dead
from dovecote.push_devices
where endpoint = %(endpoint)s
