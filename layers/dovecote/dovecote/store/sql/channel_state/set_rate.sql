-- Set the rate of a channel and the time of the request for it. Without a rate the last one stays.
-- Safe: One row.
update dovecote.channel_state
set rate = coalesce(%(rate)s, rate), rate_asked_at = clock_timestamp()
where resource = %(channel)s
