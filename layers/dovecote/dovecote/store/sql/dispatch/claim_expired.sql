-- Claim routes that expired behind a paused channel, whose lanes are not claimed, so that dispatch
-- ends them. They have no lease, or a lease whose hold is over.
-- Safe: As claim.sql, along the index on expires_at, whose condition is that of live routes. Without
-- their statuses the due index cannot be used, which would read all that is due.
with moment as materialized (
    select clock_timestamp() as at
), picked as materialized (
    select d.route_id, d.leased_until
    from dovecote.notification_routes d
    where d.lane = any (%(lanes)s::smallint[])
      and d.next_attempt_at > '-infinity'
      and d.expires_at <= (select at from moment)
      and d.next_attempt_at <= (select at from moment)
      and (d.leased_until is null
           or d.leased_until + make_interval(secs => %(hold)s) <= (select at from moment))
    order by d.expires_at
    limit %(limit)s
    for update skip locked
)
update dovecote.notification_routes r
set claims = claims + 1,
    doubt_until = coalesce(p.leased_until + make_interval(secs => %(hold)s), doubt_until),
    claim_token = %(token)s,
    leased_until = (select at from moment) + make_interval(secs => %(lease)s)
from picked p
where r.route_id = p.route_id
returning r.route_id, notification_id, channel, target, user_id, device_session_id, address, address_hash,
    locale, data, attempts, claims, lane, next_attempt_at, refusals, refused_at, waiting_for,
    case when max_attempts > 0 then max_attempts else %(default_max_attempts)s end as effective_max_attempts,
    false as counted,
    false as lapsed,
    p.leased_until is not null as ran_out,
    doubt_until is not null as in_doubt,
    date_part('epoch', expires_at - (select at from moment)) as expires_in
