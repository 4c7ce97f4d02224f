-- Claim one route whose lease ran out: its worker died, or finished too late. The provider may have
-- accepted it, so the hold for its event passes first.
-- Safe: As claim.sql, by primary key: examine.sql has found the ids, in the order of their due
-- times. Dispatch claims one at a time, so a route that kills its worker costs only its own attempts.
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
    doubt_until = leased_until + make_interval(secs => %(hold)s),
    claim_token = %(token)s,
    leased_until = (select at from moment) + make_interval(secs => %(lease)s)
where route_id = any (array(
    select lapsed.route_id
    from unnest(%(route_ids)s::uuid[]) as found (route_id)
    cross join lateral (
        select d.route_id
        from dovecote.notification_routes d
        where d.route_id = found.route_id
          and d.status in ('pending', 'retrying')
          and d.next_attempt_at <= (select at from moment)
          and d.leased_until + make_interval(secs => %(hold)s) <= (select at from moment)
        limit 1
        for update skip locked
    ) lapsed
    limit 1
))
returning route_id, notification_id, channel, target, user_id, device_session_id, address, address_hash,
    locale, data, attempts, claims, lane, next_attempt_at, refusals, refused_at, waiting_for,
    case when max_attempts > 0 then max_attempts else %(default_max_attempts)s end as effective_max_attempts,
    last_attempt_at is not distinct from (select at from moment) as counted,
    true as lapsed,
    true as ran_out,
    true as in_doubt,
    date_part('epoch', expires_at - (select at from moment)) as expires_in
