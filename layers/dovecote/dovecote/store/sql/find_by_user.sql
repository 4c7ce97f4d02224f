-- Read the notifications of one user, the newest first, from a place on, each with the routes of that
-- user alone.
-- Safe: plain reads along the index of the routes by user and notification, whose ids are in the
-- order of time.
with page as materialized (
    select distinct r.notification_id
    from dovecote.notification_routes r
    where r.user_id = %(user_id)s
      and r.notification_id < coalesce(%(after)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
    order by r.notification_id desc
    limit %(limit)s
)
select n.notification_id, n.kind, n.idempotency_key, n.fingerprint, n.created_at, n.deliver_at,
       r.route_id, r.channel, r.status, r.user_id, r.device_session_id, r.resolved_email, r.attempts,
       r.max_attempts, r.next_attempt_at, r.last_attempt_at, r.last_error, r.expires_at,
       r.published_at, r.provider_message_id
from page
cross join lateral (
    select notification_id, kind, idempotency_key, fingerprint, created_at, deliver_at
    from dovecote.notifications
    where notification_id = page.notification_id
    limit 1
) n
join dovecote.notification_routes r
  on r.user_id = %(user_id)s and r.notification_id = page.notification_id
order by n.notification_id desc, r.position
