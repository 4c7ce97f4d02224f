-- One route to skipped, where it still carries the claim: there is nobody to deliver to.
-- Safe: one row by primary key.
update dovecote.notification_routes
set status = 'skipped',
    attempts = attempts - 1,
    next_attempt_at = null,
    doubt_until = null,
    last_error = %(reason)s,
    claim_token = null,
    leased_until = null
where route_id = %(route_id)s and claim_token = %(token)s
returning route_id
