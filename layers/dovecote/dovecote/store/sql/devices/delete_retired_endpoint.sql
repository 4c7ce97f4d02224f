-- Remove a retired endpoint of a device, once it is deleted at the provider or another device uses
-- it.
-- Safe: Along the index of devices.
delete from dovecote.retired_endpoints
where user_id = %(user_id)s and device_session_id = %(device_session_id)s and endpoint = %(endpoint)s
