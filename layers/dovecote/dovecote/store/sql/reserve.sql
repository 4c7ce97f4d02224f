-- Reserve the next sends of a channel that has a rate: as many as are wanted and begin in time.
-- Safe: one row. It is locked and read before it is computed with, so all workers share one line of
-- slots, and by one reading of the clock, so that a free line is not waited for. A rate that a
-- throttle answer slowed down doubles again each minute.
with locked as materialized (
    select resource, rate, next_slot_at, slowed_to, slowed_at
    from dovecote.channel_state
    where resource = %(channel)s and rate is not null
    for update
), line as materialized (
    select resource, at, greatest(next_slot_at, at) as begins_at,
           least(rate, slowed_to
               * power(2, least(30, extract(epoch from at - slowed_at) / 60))) as pace
    from locked
    -- Of the row, so that it is read once the row is locked.
    cross join lateral (
        select clock_timestamp() as at where locked.resource is not null offset 0
    ) moment
), taken as materialized (
    select resource, begins_at, pace, extract(epoch from begins_at - at)::float8 as wait,
           greatest(0, least(%(wanted)s, ceil(
               (%(horizon)s - extract(epoch from begins_at - at)) * pace)))::integer as room
    from line
)
update dovecote.channel_state s
set next_slot_at = t.begins_at + make_interval(secs => t.room / t.pace)
from taken t
where s.resource = t.resource
returning t.room, t.wait, 1 / t.pace as spacing, s.next_slot_at as slots
