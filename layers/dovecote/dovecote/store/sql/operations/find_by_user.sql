-- Read the notifications of one user, the newest first, after a place, each with the routes of that
-- user alone.
-- Safe: Plain reads along the key of the user's entries, whose notification ids are in the order of
-- time, then each route by primary key. Entries change together with their routes, so one snapshot
-- shows both alike.
with page as materialized (
    select distinct notification_id
    from dovecote.user_routes
    where user_id = %(user_id)s
      and notification_id < coalesce(%(after)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
    order by notification_id desc
    limit %(limit)s
)
select n.notification_id, n.kind, n.idempotency_key, n.fingerprint, n.created_at, n.deliver_at,
       r.route_id, r.channel, r.status, r.user_id, r.device_session_id, r.address, r.attempts,
       r.max_attempts, r.next_attempt_at, r.last_attempt_at, r.last_error, r.expires_at,
       r.published_at, r.provider_message_id, r.waiting_for, r.waiting_since
from page
cross join lateral (
    select notification_id, kind, idempotency_key, fingerprint, created_at, deliver_at
    from dovecote.notifications
    where notification_id = page.notification_id
    limit 1
) n
join dovecote.user_routes e
  on e.user_id = %(user_id)s and e.notification_id = page.notification_id
cross join lateral (
    select route_id, channel, status, user_id, device_session_id, address, attempts,
           max_attempts, next_attempt_at, last_attempt_at, last_error, expires_at,
           published_at, provider_message_id, waiting_for, waiting_since, position
    from dovecote.notification_routes
    where route_id = e.route_id and user_id = e.user_id
    limit 1
) r
order by n.notification_id desc, r.position, r.route_id
