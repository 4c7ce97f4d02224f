-- Claim due routes without a lease, up to a limit in each lane, the oldest first. claim_lapsed.sql
-- takes lapsed leases. A single reading of the clock tells a route that counted an attempt (it
-- carries this time) from one at its last attempt or past its expiry, which is claimed without
-- counting and ended.
-- Safe: SKIP LOCKED lets dispatchers run in parallel. The subquery that picks the ids runs once, so
-- the update cannot exceed the limits. The plan is the due index by (lane, next_attempt_at), then
-- the primary key. Each lane is read from the caller's cursor, until `until`: an old snapshot keeps
-- index entries of finished routes before it, and the scan would read them one by one.
with moment as materialized (
    select clock_timestamp() as at
)
update dovecote.notification_routes
set attempts = attempts + (expires_at > (select at from moment) and attempts <
        case when max_attempts > 0 then max_attempts else %(default_max_attempts)s end)::integer,
    last_attempt_at = case when expires_at > (select at from moment) and attempts <
        case when max_attempts > 0 then max_attempts else %(default_max_attempts)s end
        then (select at from moment) else last_attempt_at end,
    claims = claims + 1,
    claim_token = %(token)s,
    leased_until = (select at from moment) + make_interval(secs => %(lease)s)
where route_id = any (array(
    select due.route_id
    from unnest(%(lanes)s::smallint[], %(limits)s::integer[], %(since)s::float8[])
        as wanted (lane, count, since)
    cross join lateral (
        select d.route_id
        from dovecote.notification_routes d
        where d.lane = wanted.lane
          and d.status in ('pending', 'retrying')
          and d.next_attempt_at >= case when (select at from moment) < to_timestamp(%(until)s)
              then to_timestamp(wanted.since) else '-infinity' end
          and d.next_attempt_at <= (select at from moment)
          and d.leased_until is null
        order by d.next_attempt_at
        limit wanted.count
        for update skip locked
    ) due
))
returning route_id, notification_id, channel, target, user_id, device_session_id, address, address_hash,
    locale, data, attempts, claims, lane, next_attempt_at, refusals, refused_at, waiting_for,
    case when max_attempts > 0 then max_attempts else %(default_max_attempts)s end as effective_max_attempts,
    last_attempt_at is not distinct from (select at from moment) as counted,
    false as lapsed,
    doubt_until is not null as in_doubt,
    date_part('epoch', expires_at - (select at from moment)) as expires_in
