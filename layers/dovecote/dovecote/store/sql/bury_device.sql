-- Mark a device dead: the provider says that its endpoint is disabled or gone, now or at `told_at`.
-- Safe: one row along the unique index; a device that registered anew has its mark taken away, and
-- keeps it off where the provider told of it before. Its routes are skip_device's.
update dovecote.push_devices
set dead_at = clock_timestamp()
where endpoint = %(endpoint)s and dead_at is null
  and updated_at < coalesce(%(told_at)s, clock_timestamp())
returning user_id, device_session_id
