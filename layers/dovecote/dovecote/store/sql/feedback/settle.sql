-- Make one route published, even under another worker's claim: the provider reported its
-- acceptance.
-- Safe: One row by primary key, which lock_route.sql has locked. The same statement closes its dead
-- letter.
with settled as (
    update dovecote.notification_routes
    set status = 'published',
        next_attempt_at = null,
        waiting_since = null,
        waiting_for = null,
        refusals = null,
        refused_at = null,
        published_at = clock_timestamp(),
        provider_message_id = %(message_id)s,
        last_error = null,
        doubt_until = null,
        claim_token = null,
        leased_until = null
    where route_id = %(route_id)s
    returning route_id, claims
), noted as (
    insert into dovecote.notification_events (route_id, claim, event, message_id)
    select route_id, claims, 'settled', %(message_id)s from settled
)
update dovecote.notification_dead_letters
set closed_at = clock_timestamp(), closed_as = 'settled'
where route_id = (select route_id from settled) and closed_at is null
