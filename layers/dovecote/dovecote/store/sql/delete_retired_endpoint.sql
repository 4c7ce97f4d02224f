-- Take an endpoint of a device off the record, once it is deleted at the provider or used by another device.
-- Safe: along the index of devices.
delete from dovecote.retired_endpoints
where user_id = %(user_id)s and device_session_id = %(device_session_id)s and endpoint = %(endpoint)s
