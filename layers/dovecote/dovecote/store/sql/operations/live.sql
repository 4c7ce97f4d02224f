-- Count the live routes of each channel and status, with one reading of the clock. A route behind a
-- pause is due since it was first due.
-- Safe: Plain reads. The lanes of a priority are ranges of the due index, read one after the other
-- from the route that is due for longest, up to `most` together. The first route of each lane is
-- read in any case.
with moment as materialized (
    select clock_timestamp() as at
), alike as (
    select channel, status, array_agg(lane) as lanes
    from unnest(%(channels)s::text[], %(statuses)s::text[], %(priorities)s::smallint[], %(lanes)s::smallint[])
        as asked (channel, status, priority, lane)
    group by channel, status, priority
), counted as (
    select alike.channel, alike.status, sums.*
    from alike
    cross join lateral (
        select count(*) as live,
               count(*) filter (where next_attempt_at <= at or waiting_since is not null) as due,
               count(*) filter (where leased_until > at) as in_flight,
               count(*) filter (where leased_until <= at) as lapsed,
               count(*) filter (where doubt_until is not null) as in_doubt,
               min(least(next_attempt_at, waiting_since)) as due_since
        from (
            select first.*
            from unnest(alike.lanes) as own (lane)
            cross join lateral (
                select d.next_attempt_at, d.leased_until, d.doubt_until, d.waiting_since
                from dovecote.notification_routes d
                where d.lane = own.lane and d.status in ('pending', 'retrying')
                order by d.next_attempt_at
                limit %(most)s
            ) first
            limit %(most)s
        ) first, moment
    ) sums
    union all
    select asked.channel, asked.status, 0, 0, 0, 0, 0, first.due_since
    from unnest(%(channels)s::text[], %(statuses)s::text[], %(lanes)s::smallint[])
        as asked (channel, status, lane)
    cross join lateral (
        select least(d.next_attempt_at, d.waiting_since) as due_since
        from dovecote.notification_routes d
        where d.lane = asked.lane and d.status in ('pending', 'retrying')
        order by d.next_attempt_at
        limit 1
    ) first
)
select channel, status,
       least(sum(live), %(most)s)::integer as live,
       least(sum(due), %(most)s)::integer as due,
       least(sum(in_flight), %(most)s)::integer as in_flight,
       least(sum(lapsed), %(most)s)::integer as lapsed,
       least(sum(in_doubt), %(most)s)::integer as in_doubt,
       greatest(0, extract(epoch from (select at from moment) - min(due_since)))::float8
           as oldest_due_seconds
from counted
group by channel, status
order by channel, status
