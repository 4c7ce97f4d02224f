-- Store a notification and all its routes, or nothing where its kind and key are taken.
-- Safe: one statement, so no row without the others. A second submit of the same key waits on the
-- unique index until the first has committed or rolled back, at most lock_timeout. 1,000 routes
-- come as one JSON text; the unnest keeps their order.
with moment as materialized (
    select clock_timestamp() as at
), notification as (
    insert into dovecote.notifications
        (notification_id, kind, idempotency_key, fingerprint, payload, traceparent, deliver_at, created_at)
    select %(notification_id)s, %(kind)s, %(idempotency_key)s, %(fingerprint)s, %(payload)s,
           %(traceparent)s, %(deliver_at)s, at
    from moment
    on conflict (kind, idempotency_key) do nothing
    returning notification_id, created_at, greatest(deliver_at, created_at) as due_at
)
insert into dovecote.notification_routes
    (route_id, notification_id, position, channel, target, user_id, device_session_id,
     resolved_email, locale, data, priority, lane, status, max_attempts, attempts, claims,
     claim_token, leased_until, last_attempt_at, next_attempt_at, expires_at, created_at, last_error)
select r.route_id, n.notification_id, r.position, r.channel, r.target, r.user_id, r.device_session_id,
       r.resolved_email, r.locale, r.data,
       %(priority)s, (case r.channel when 'email' then 0 else 6 end) + %(priority)s * 2,
       case when r.skip is null then 'pending' else 'skipped' end,
       %(max_attempts)s,
       tried.count, tried.count,
       case when tried.count = 1 then %(token)s::uuid end,
       case when tried.count = 1 then n.created_at + make_interval(secs => %(lease)s) end,
       case when tried.count = 1 then n.created_at end,
       case when r.skip is null then n.due_at end,
       n.due_at + make_interval(secs => %(expires_in)s),
       n.created_at, r.skip
from notification n
cross join json_to_recordset(%(routes)s::json) as r (
    route_id uuid, position integer, channel text, target text, user_id text, device_session_id text,
    resolved_email text, locale text, data text, skip text, claimed boolean
)
-- Only what is due is tried at once, by the database's clock.
cross join lateral (
    select (r.claimed and n.due_at <= n.created_at)::integer as count
) tried
returning route_id, notification_id, position, channel, target, user_id, device_session_id,
    resolved_email, locale, data, status, attempts, claims, lane, next_attempt_at, last_attempt_at,
    last_error, expires_at, published_at, provider_message_id, created_at,
    case when max_attempts > 0 then max_attempts else %(default_max_attempts)s end as max_attempts,
    claim_token is not null as claimed,
    true as counted,
    false as lapsed,
    false as in_doubt,
    extract(epoch from expires_at - created_at)::float8 as expires_in
