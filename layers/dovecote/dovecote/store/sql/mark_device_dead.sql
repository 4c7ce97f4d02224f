-- Mark a device dead: the provider says that its endpoint is disabled or gone. `reported_at` is the time of
-- its event, or of the attempt that it refused; NULL stands for now. A device that registered after that
-- stays alive: SNS gives a token its endpoint back under the same ARN.
-- Safe: one row along the index of endpoints. Its routes are skip_device's.
update dovecote.push_devices
set dead_at = clock_timestamp()
where endpoint = %(endpoint)s and dead_at is null
  and updated_at < coalesce(%(reported_at)s, clock_timestamp())
returning user_id, device_session_id
