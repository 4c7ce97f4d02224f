-- Reserve the next sends of a channel that has a rate: as many as are wanted and begin in time.
-- Safe: one row. It is locked and read before it is computed with, so all workers share one line of
-- slots. A rate that a throttle answer slowed down doubles again each minute.
with line as materialized (
    select resource, clock_timestamp() as at,
           greatest(next_slot_at, clock_timestamp()) as begins_at,
           least(rate, slowed_to
               * power(2, least(30, extract(epoch from clock_timestamp() - slowed_at) / 60))) as pace
    from dovecote.channel_state
    where resource = %(channel)s and rate is not null
    for update
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
