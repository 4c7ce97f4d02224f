-- Look for routes whose lease and hold ran out, among the oldest due routes of lanes: up to `most`
-- in each window, which begins at `since`, and from `until` on at the beginning of the lane.
-- Safe: A plain read along the due index, which both limits end. claim_lapsed.sql reads again what
-- this has found.
with moment as materialized (
    select clock_timestamp() as at
)
select (select date_part('epoch', at) from moment) as at, routes.*
from unnest(%(lane)s::smallint[], %(since)s::float8[], %(until)s::float8[], %(most)s::integer[])
    with ordinality as asked (lane, since, until, most, place)
cross join lateral (
    select count(*)::integer as count,
           coalesce(date_part('epoch', min(next_attempt_at)), 'infinity') as first,
           coalesce(date_part('epoch', max(next_attempt_at)), '-infinity') as last,
           array(
               select route_id from unnest(array_agg(route_id order by next_attempt_at) filter (
                   where leased_until + make_interval(secs => %(hold)s) <= (select at from moment)
               )) as lapsed (route_id)
           ) as lapsed
    from (
        select d.route_id, d.next_attempt_at, d.leased_until
        from dovecote.notification_routes d
        where d.lane = asked.lane
          and d.status in ('pending', 'retrying')
          and d.next_attempt_at >= case when (select at from moment) < to_timestamp(asked.until)
              then to_timestamp(asked.since) else '-infinity' end
          and d.next_attempt_at <= (select at from moment)
        order by d.next_attempt_at
        limit asked.most
    ) due
) routes
order by asked.place
