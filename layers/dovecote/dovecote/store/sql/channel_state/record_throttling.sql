-- Count throttle answers of a channel for all workers; on congestion, lower the pace. The pace
-- falls by at most three tenths, because few answers are a poor estimate of the limit. A refused
-- probe above the pace that worked before shows only that this is the limit. Then no send begins
-- for half a second, in which the provider's allowance refills.
-- Safe: One row, locked and read before the computation. Of many workers with the same congestion
-- the first one lowers the pace: the other batches were claimed before, at the old pace.
with locked as materialized (
    select resource, rate, slowed_to,
           %(congested)s and slowed_at is not distinct from %(since)s::timestamptz as slows_down
    from dovecote.channel_state
    where resource = %(channel)s
    for update
)
update dovecote.channel_state s
set throttled_requests = case when %(congested)s and %(accepted_requests)s > 0 then 0 else
        greatest(0, throttled_requests + %(throttled_requests)s - %(accepted_requests)s / 25.0) end,
    throttled_entries = case when %(congested)s and %(accepted_requests)s > 0 then 0 else
        greatest(0, throttled_entries + %(throttled_entries)s - %(accepted_entries)s / 25.0) end,
    slowed_to = case when l.slows_down then least(l.rate, greatest(
        0.5,
        %(pace)s::float8 * greatest(%(accepted_share)s::float8, 0.7),
        case when %(probing)s then l.slowed_to * 0.95 end
    )) else s.slowed_to end,
    slowed_at = case when l.slows_down then clock_timestamp() else s.slowed_at end,
    next_slot_at = case when l.slows_down then clock_timestamp() + interval '0.5 seconds'
        else s.next_slot_at end
from locked l
where s.resource = l.resource
returning case when l.slows_down then s.slowed_to end as slowed_to
