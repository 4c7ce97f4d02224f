-- Read which resources pause, and until when one route may try them.
-- Safe: a plain read of a handful of rows. A pause that is over stands here until a route was tried.
select resource, channel, greatest(paused_until, trying_until) as until, in_a_row, error
from dovecote.channel_state
where paused_until is not null
order by resource
