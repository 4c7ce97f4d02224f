-- One route to retrying, where it still carries the claim.
-- Safe: one row by primary key; due again by the database's clock, at most when it expires.
update dovecote.notification_routes
set status = 'retrying',
    next_attempt_at = least(clock_timestamp() + make_interval(secs => %(delay)s), expires_at),
    last_error = %(error)s,
    claim_token = null,
    leased_until = null
where route_id = %(route_id)s and claim_token = %(token)s
returning route_id, next_attempt_at
