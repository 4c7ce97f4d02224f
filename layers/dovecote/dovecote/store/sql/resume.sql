-- End the trouble of a resource: it answers.
-- Safe: one row, left alone while it is paused: what was sent before a pause says nothing after it.
update dovecote.channel_state
set paused_until = null, trying_until = null, in_a_row = 0, error = null,
    unreached = 0, unanswered = '{}', throttled_requests = 0, throttled_entries = 0
where resource = %(resource)s
  and (paused_until is null or paused_until <= clock_timestamp())
returning resource
