-- Delete a device.
-- Safe: One row by primary key, after retire_endpoint.sql. skip_device.sql skips its routes.
delete from dovecote.push_devices
where user_id = %(user_id)s and device_session_id = %(device_session_id)s
returning user_id, device_session_id
