-- Claim routes that expired behind a paused channel, to be ended: its lanes are not claimed.
-- Safe: as claim.sql, along the index on expires_at. Nobody's, or of a lease whose hold is over.
with moment as materialized (
    select clock_timestamp() as at
)
update dovecote.notification_routes
set claims = claims + 1,
    doubt_until = coalesce(leased_until + make_interval(secs => %(hold)s), doubt_until),
    claim_token = %(token)s,
    leased_until = (select at from moment) + make_interval(secs => %(lease)s)
where route_id = any (array(
    select d.route_id
    from dovecote.notification_routes d
    where d.lane = any (%(lanes)s::smallint[])
      and d.status in ('pending', 'retrying')
      and d.expires_at <= (select at from moment)
      and d.next_attempt_at <= (select at from moment)
      and (d.leased_until is null
           or d.leased_until + make_interval(secs => %(hold)s) <= (select at from moment))
    order by d.expires_at
    limit %(limit)s
    for update skip locked
))
returning route_id, notification_id, channel, target, user_id, device_session_id, resolved_email,
    locale, data, attempts, claims, lane, next_attempt_at,
    case when max_attempts > 0 then max_attempts else %(default_max_attempts)s end as effective_max_attempts,
    false as counted,
    false as lapsed,
    doubt_until is not null as in_doubt,
    date_part('epoch', expires_at - (select at from moment)) as expires_in
