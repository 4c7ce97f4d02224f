-- One route to retrying, where it still carries the claim.
-- Safe: one row by primary key; due again by the database's clock, at most when it expires, but in
-- doubt not before the hold is over. An attempt that failed for sure ends the doubt of those before.
update dovecote.notification_routes
set status = 'retrying',
    attempts = attempts - %(uncounted)s,
    next_attempt_at = case when %(hold)s::float8 is null
        then least(clock_timestamp() + make_interval(secs => %(delay)s), expires_at)
        else clock_timestamp() + make_interval(secs => %(delay)s) end,
    doubt_until = clock_timestamp() + make_interval(secs => %(hold)s),
    last_error = %(error)s,
    claim_token = null,
    leased_until = null
where route_id = %(route_id)s and claim_token = %(token)s
returning route_id, next_attempt_at
