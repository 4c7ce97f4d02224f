-- Make routes dead_lettered, each with its dead letter, if they still carry the token. One JSON
-- object has the reason and error of each. A route that ends without a send keeps the error of its
-- last attempt, and its doubt, because an event may still come. Any other end is certain.
-- Safe: As publish.sql. One statement, so neither row exists without the other.
with ended as (
    update dovecote.notification_routes
    set status = 'dead_lettered',
        next_attempt_at = null,
        waiting_since = null,
        waiting_for = null,
        refusals = null,
        refused_at = null,
        last_error = coalesce(%(ends)s::jsonb -> route_id::text ->> 'error', last_error),
        doubt_until = case when %(ends)s::jsonb -> route_id::text ->> 'reason' = 'ambiguous'
            then doubt_until end,
        claim_token = null,
        leased_until = null
    where route_id = any (array(select jsonb_object_keys(%(ends)s::jsonb)::uuid))
      and claim_token = %(token)s
    returning route_id, notification_id, last_error, attempts, claims,
        %(ends)s::jsonb -> route_id::text ->> 'reason' as reason,
        %(ends)s::jsonb -> route_id::text ->> 'error' as error
), noted as (
    insert into dovecote.notification_events (route_id, claim, event, attempt, reason, detail)
    select route_id, claims, 'dead_lettered', attempts, reason, error from ended
)
insert into dovecote.notification_dead_letters (route_id, notification_id, reason, error, attempts)
select route_id, notification_id, reason, last_error, attempts from ended
returning route_id
