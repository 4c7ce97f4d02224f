-- Reserve the next sends of a channel. Returns no row for a channel without a rate that is not slowed
-- down.
-- Safe: One row. schema/migrations/0004_channel_state.sql has the function's body.
select room, wait, spacing, slots
from dovecote.reserve_slots(%(channel)s, %(wanted)s, %(horizon)s)
