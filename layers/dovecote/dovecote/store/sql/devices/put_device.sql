-- Register a device, or give it its new token and endpoint.
-- Safe: One row by primary key, after lock_device.sql and release_endpoint.sql in the same
-- transaction.
insert into dovecote.push_devices (user_id, device_session_id, platform, token, endpoint)
values (%(user_id)s, %(device_session_id)s, %(platform)s, %(token)s, %(endpoint)s)
on conflict (user_id, device_session_id) do update
set platform = excluded.platform, token = excluded.token, endpoint = excluded.endpoint,
    dead_at = null, updated_at = clock_timestamp()
