-- Mark a device dead: the provider reported that its endpoint is disabled or gone. `reported_at` is
-- the time of the event, or of the refused attempt; NULL stands for now. A device that registered
-- later stays alive: SNS gives a token its endpoint back under the same ARN.
-- Safe: One row along the index of endpoints. skip_device.sql skips its routes.
update dovecote.push_devices
set dead_at = clock_timestamp()
where endpoint = %(endpoint)s and dead_at is null
  and updated_at < coalesce(%(reported_at)s, clock_timestamp())
returning user_id, device_session_id
