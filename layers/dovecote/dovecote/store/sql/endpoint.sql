-- Read the endpoint of a device.
-- Safe: a plain read by primary key.
select endpoint
from dovecote.push_devices
where user_id = %(user_id)s and device_session_id = %(device_session_id)s
