-- Read the ids of a user's devices: registered ones, and deleted ones whose endpoints are not
-- deleted yet.
-- Safe: Plain reads along the primary key and the index of devices.
select device_session_id from dovecote.push_devices where user_id = %(user_id)s
union
select device_session_id from dovecote.retired_endpoints where user_id = %(user_id)s
order by device_session_id
