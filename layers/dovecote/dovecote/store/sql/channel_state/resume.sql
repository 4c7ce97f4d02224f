-- End the trouble of a resource that answers. An accepted route proves that earlier refusals were
-- caused by those routes.
-- Safe: One row. A paused resource stays paused: a send before the pause says nothing about the
-- time after it.
update dovecote.channel_state
set paused_until = null, trying_until = null, in_a_row = 0, error = null,
    unreached = 0, unanswered = '{}', throttled_requests = 0, throttled_entries = 0, refused = '{}',
    proven_at = case when %(accepted)s then clock_timestamp() else proven_at end
where resource = %(resource)s
  and (paused_until is null or paused_until <= clock_timestamp())
returning resource
