-- Read how a channel and its resources stand.
-- Safe: a plain read of a handful of rows.
with moment as materialized (
    select clock_timestamp() as at
)
select resource,
       coalesce(paused_until > at or trying_until > at, false) as paused,
       coalesce(paused_until <= at and coalesce(trying_until <= at, true), false) as recovering,
       greatest(0, extract(epoch from greatest(paused_until, trying_until) - at))::float8 as paused_for,
       unreached, unanswered, rate,
       coalesce(rate_asked_at + interval '10 minutes' <= at, true) as rate_is_old
from dovecote.channel_state, moment
where channel = %(channel)s
