-- Make routes skipped, if they still carry the token: they have no recipient. One JSON object has
-- the reasons.
-- Safe: As publish.sql.
with skipped as (
    update dovecote.notification_routes
    set status = 'skipped',
        attempts = attempts - 1,
        next_attempt_at = null,
        waiting_since = null,
        waiting_for = null,
        refusals = null,
        refused_at = null,
        doubt_until = null,
        last_error = %(reasons)s::jsonb ->> route_id::text,
        claim_token = null,
        leased_until = null
    where route_id = any (array(select jsonb_object_keys(%(reasons)s::jsonb)::uuid))
      and claim_token = %(token)s
    returning route_id, claims, last_error
)
insert into dovecote.notification_events (route_id, claim, event, reason)
select route_id, claims, 'skipped', last_error from skipped
returning route_id
