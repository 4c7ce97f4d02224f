-- Forget a device.
-- Safe: one row by primary key, after retire_endpoint. Its routes are skip_device's.
delete from dovecote.push_devices
where user_id = %(user_id)s and device_session_id = %(device_session_id)s
returning user_id, device_session_id
