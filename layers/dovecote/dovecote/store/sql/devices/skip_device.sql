-- Make the live, unclaimed routes of a device skipped.
-- Safe: Follows mark_device_dead.sql, release_endpoint.sql or delete_device.sql in its transaction,
-- at the end of a finaliser's. The function waits for no lock, and reads the index of live routes by
-- device, however long the user's history is.
select dovecote.skip_device(%(user_id)s, %(device_session_id)s)
