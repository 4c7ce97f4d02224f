-- Make one route dead_lettered, even under another worker's claim: the provider reported that it
-- was not sent.
-- Safe: One row by primary key, which lock_route.sql has locked; one statement with its dead
-- letter.
with ended as (
    update dovecote.notification_routes
    set status = 'dead_lettered',
        next_attempt_at = null,
        waiting_since = null,
        waiting_for = null,
        refusals = null,
        refused_at = null,
        published_at = null,
        last_error = %(error)s,
        doubt_until = null,
        claim_token = null,
        leased_until = null
    where route_id = %(route_id)s
    returning route_id, notification_id, last_error, attempts, claims
), noted as (
    insert into dovecote.notification_events (route_id, claim, event, attempt, detail, message_id)
    select route_id, claims, 'rejected', attempts, last_error, %(message_id)s from ended
)
insert into dovecote.notification_dead_letters (route_id, notification_id, reason, error, attempts)
select route_id, notification_id, %(reason)s, last_error, attempts from ended
