-- Count the live routes of each channel and status, with one reading of the clock. A route behind a
-- pause is due since it was first due.
-- Safe: Plain reads. Each lane is a range of the due index, read from the route that is due for
-- longest, up to `most`.
with moment as materialized (
    select clock_timestamp() as at
), counted as (
    select asked.channel, asked.status, lane.*
    from unnest(%(channels)s::text[], %(statuses)s::text[], %(lanes)s::smallint[])
        as asked (channel, status, lane)
    cross join lateral (
        select count(*) as live,
               count(*) filter (where next_attempt_at <= at or waiting_since is not null) as due,
               count(*) filter (where leased_until > at) as in_flight,
               count(*) filter (where leased_until <= at) as lapsed,
               count(*) filter (where doubt_until is not null) as in_doubt,
               extract(epoch from max(at) - min(least(next_attempt_at, waiting_since)))::float8 as due_for
        from (
            select d.next_attempt_at, d.leased_until, d.doubt_until, d.waiting_since
            from dovecote.notification_routes d
            where d.lane = asked.lane and d.status in ('pending', 'retrying')
            order by d.next_attempt_at
            limit %(most)s
        ) first, moment
    ) lane
)
select channel, status,
       least(sum(live), %(most)s)::integer as live,
       least(sum(due), %(most)s)::integer as due,
       least(sum(in_flight), %(most)s)::integer as in_flight,
       least(sum(lapsed), %(most)s)::integer as lapsed,
       least(sum(in_doubt), %(most)s)::integer as in_doubt,
       greatest(0, max(due_for))::float8 as oldest_due_seconds
from counted
group by channel, status
order by channel, status
