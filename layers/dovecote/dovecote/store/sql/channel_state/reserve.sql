-- Reserve the next sends of a channel that has a rate or is slowed down: as many as the caller
-- wants and begin in time. Returns no row for a channel without a rate that is no longer slowed
-- down, as in channel_state.sql.
-- Safe: One row. It is locked and read before the computation, so all workers share one line of
-- slots. One reading of the clock, so a free line causes no wait.
with locked as materialized (
    select resource, rate, next_slot_at, slowed_to, slowed_at
    from dovecote.channel_state
    where resource = %(channel)s and (rate is not null or slowed_to is not null)
    for update
), clocked as materialized (
    select locked.*, at,
           dovecote.pace_after(slowed_to, extract(epoch from at - slowed_at)::float8) as pace_after
    from locked
    -- Of the row, so that it is read once the row is locked.
    cross join lateral (
        select clock_timestamp() as at where locked.resource is not null offset 0
    ) moment
), line as materialized (
    select resource, at, greatest(next_slot_at, at) as begins_at,
           case when pace_after < coalesce(4 * rate, 16 * slowed_to)
               then least(rate, pace_after) else rate end as pace
    from clocked
), taken as materialized (
    select resource, begins_at, pace, extract(epoch from begins_at - at)::float8 as wait,
           greatest(0, least(%(wanted)s, ceil(
               (%(horizon)s - extract(epoch from begins_at - at)) * pace)))::integer as room
    from line
    where pace is not null
)
update dovecote.channel_state s
set next_slot_at = t.begins_at + make_interval(secs => t.room / t.pace)
from taken t
where s.resource = t.resource
returning t.room, t.wait, 1 / t.pace as spacing, s.next_slot_at as slots
