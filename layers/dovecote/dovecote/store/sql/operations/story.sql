-- Read the history of the routes of a notification, from the submit on, in the order of time. A
-- delivery without later events, and a route without a channel, are read from the route alone.
-- Safe: Plain reads: routes along the index of the notification, events along theirs.
with told as materialized (
    select route_id, status, attempts, claims, created_at, published_at, provider_message_id, last_error
    from dovecote.notification_routes
    where notification_id = %(notification_id)s
)
select r.route_id, e.at, e.event, e.attempt, e.claim, e.reason, e.detail, e.message_id
from told r
cross join lateral (
    select r.created_at as at, 'submitted' as event, null::integer as attempt, 0 as claim,
           null as reason, null as detail, null as message_id
    union all
    select r.created_at, 'skipped', null, 0, r.last_error, null, null
    where r.status = 'skipped' and not exists (
        select from dovecote.notification_events
        where route_id = r.route_id and event = 'skipped'
    )
    union all
    select at, event, attempt, claim, reason, detail, message_id
    from dovecote.notification_events
    where route_id = r.route_id
    union all
    select r.published_at, 'published', r.attempts, r.claims, null, null, r.provider_message_id
    where r.status = 'published' and not exists (
        select from dovecote.notification_events
        where route_id = r.route_id and event = 'settled' and message_id = r.provider_message_id
    )
) e
order by e.at, e.event <> 'submitted'
