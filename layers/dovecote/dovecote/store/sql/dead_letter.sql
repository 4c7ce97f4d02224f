-- One route to dead_lettered, with its dead letter, where it still carries the claim.
-- Safe: one statement, so neither is without the other. A route that ends without a send keeps
-- the error of its last attempt, and its doubt: an event may still come. Any other end is certain.
with ended as (
    update dovecote.notification_routes
    set status = 'dead_lettered',
        next_attempt_at = null,
        last_error = coalesce(%(error)s, last_error),
        doubt_until = case when %(reason)s = 'ambiguous' then doubt_until end,
        claim_token = null,
        leased_until = null
    where route_id = %(route_id)s and claim_token = %(token)s
    returning route_id, notification_id, last_error, attempts
)
insert into dovecote.notification_dead_letters (route_id, notification_id, reason, error, attempts)
select route_id, notification_id, %(reason)s, last_error, attempts from ended
returning route_id, error
