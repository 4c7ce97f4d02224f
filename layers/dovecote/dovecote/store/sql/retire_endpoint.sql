-- Put the endpoint of a device on record to be deleted at the provider, unless the device keeps it.
-- Safe: one row by primary key, within the transaction that replaces or deletes it.
insert into dovecote.retired_endpoints (user_id, device_session_id, endpoint)
select user_id, device_session_id, endpoint
from dovecote.push_devices
where user_id = %(user_id)s and device_session_id = %(device_session_id)s
  and endpoint is distinct from %(endpoint)s
