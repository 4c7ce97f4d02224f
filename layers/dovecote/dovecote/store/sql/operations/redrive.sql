-- Make dead letters pending, each with a new set of attempts; their history stays. The first one is
-- due after `wait` seconds, each further one `spacing` later.
-- Safe: Rows by primary key, which lock_routes.sql has locked. The same statement closes their dead
-- letters.
with redriven as (
    update dovecote.notification_routes
    set status = 'pending',
        lane = lane & ~1,
        attempts = 0,
        next_attempt_at = clock_timestamp() + make_interval(secs => %(wait)s
            + %(spacing)s * (array_position(%(route_ids)s::uuid[], route_id) - 1)),
        expires_at = coalesce(%(expires_at)s, expires_at),
        doubt_until = null
    where route_id = any (array(select unnest(%(route_ids)s::uuid[])))
    returning route_id, claims
), noted as (
    insert into dovecote.notification_events (route_id, claim, event)
    select route_id, claims, 'redriven' from redriven
)
update dovecote.notification_dead_letters
set closed_at = clock_timestamp(), closed_as = 'redriven', redrive_id = %(redrive_id)s
where route_id = any (array(select route_id from redriven)) and closed_at is null
returning notification_id
