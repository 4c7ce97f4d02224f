-- Mark a device dead: the provider says that its endpoint is disabled.
-- Safe: one row along the unique index; a device that registered anew has its mark taken away.
update dovecote.push_devices
set dead_at = clock_timestamp()
where endpoint = %(endpoint)s and dead_at is null
