-- One dead letter to pending with a fresh set of attempts; what happened to it is kept.
-- Safe: one row by primary key, locked before by lock_route.sql; its dead letter is closed with it.
with redriven as (
    update dovecote.notification_routes
    set status = 'pending',
        lane = lane & ~1,
        attempts = 0,
        next_attempt_at = clock_timestamp(),
        expires_at = coalesce(%(expires_at)s, expires_at),
        doubt_until = null
    where route_id = %(route_id)s
    returning route_id, claims
), noted as (
    insert into dovecote.notification_events (route_id, claim, event)
    select route_id, claims, 'redriven' from redriven
)
update dovecote.notification_dead_letters
set closed_at = clock_timestamp(), closed_as = 'redriven'
where route_id = (select route_id from redriven) and closed_at is null
returning notification_id
