-- Cancel the routes of a notification that are still to be sent and have no claim. A route that may
-- have been sent counts as in flight: in doubt, or under a lapsed lease.
-- Safe: Each row is locked and read again before it changes, so a claim that comes first keeps its
-- route.
with cancelled as (
    update dovecote.notification_routes
    set status = 'cancelled',
        next_attempt_at = null,
        waiting_since = null,
        waiting_for = null,
        refusals = null,
        refused_at = null
    where notification_id = %(notification_id)s
      and status in ('pending', 'retrying')
      and claim_token is null
      and doubt_until is null
    returning route_id, claims
)
insert into dovecote.notification_events (route_id, claim, event)
select route_id, claims, 'cancelled' from cancelled
returning route_id
