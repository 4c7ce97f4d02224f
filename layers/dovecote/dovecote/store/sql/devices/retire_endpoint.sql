-- Record that the endpoint of a device is to be deleted at the provider, unless the device keeps
-- it.
-- Safe: One row by primary key, in the transaction that replaces or deletes the device.
insert into dovecote.retired_endpoints (user_id, device_session_id, endpoint)
select user_id, device_session_id, endpoint
from dovecote.push_devices
where user_id = %(user_id)s and device_session_id = %(device_session_id)s
  and endpoint is distinct from %(endpoint)s
