-- Read the state of a channel and its resources, and reserve sends unless the channel is paused, in one
-- round trip.
-- Safe: As channel_state.sql and reserve.sql.
select state.*, sends.*
from dovecote.state_of_channel(%(channel)s) state
left join lateral dovecote.reserve_slots(
    %(channel)s,
    case when resource = %(channel)s and not paused and not recovering then %(wanted)s else 0 end,
    %(horizon)s
) sends on true
