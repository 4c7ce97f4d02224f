-- Read the state of a channel and its resources, and for each narrow resource how soon a route that
-- waits for it is due.
-- Safe: A plain read of a handful of rows, and of the index of waiting routes for each narrow
-- resource, up to a hundred.
with moment as materialized (
    select clock_timestamp() as at
)
select resource, date_part('epoch', at) as at,
       coalesce(paused_until > at or trying_until > at, false) as paused,
       coalesce(paused_until <= at and coalesce(trying_until <= at, true), false) as recovering,
       greatest(0, extract(epoch from greatest(paused_until, trying_until) - at))::float8 as paused_for,
       unreached, unanswered, rate,
       coalesce(rate_asked_at + interval '10 minutes' <= at, true) as rate_is_old,
       throttled_requests, throttled_entries, slowed_at,
       -- Long after congestion the pace has outgrown the rate by far, and limits no longer.
       coalesce(dovecote.pace_after(slowed_to, extract(epoch from at - slowed_at)::float8)
           < coalesce(4 * rate, 16 * slowed_to), false) as limited,
       coalesce(slowed_at + make_interval(secs => dovecote.steady_seconds(slowed_to)) <= at, false)
           as probing,
       refused, proven_at is not null as proven,
       case when resource <> channel then (
           -- In this order, so that the planner takes the index.
           select extract(epoch from greatest(min(w.next_attempt_at), paused_until, trying_until) - at)::float8
           from (
               select r.next_attempt_at
               from dovecote.notification_routes r
               where r.waiting_for = s.resource
                 and r.waiting_since is not null and r.next_attempt_at is not null
               order by r.waiting_since
               limit 100
           ) w
           where w.next_attempt_at > at or greatest(paused_until, trying_until) > at
           having count(*) > 0
       ) end as awaited_for
from dovecote.channel_state s, moment
where channel = %(channel)s
