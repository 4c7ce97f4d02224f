-- Keep the rate of a channel, and when it was asked for; without one the last one stays.
-- Safe: one row.
update dovecote.channel_state
set rate = coalesce(%(rate)s, rate), rate_asked_at = clock_timestamp()
where resource = %(channel)s
