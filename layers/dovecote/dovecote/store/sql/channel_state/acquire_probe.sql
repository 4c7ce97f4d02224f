-- Take the right to probe a resource after its pause, with one route, for all workers.
-- Safe: One row. Of many callers one gets it, and another one after its time, if it has not
-- reported by then.
update dovecote.channel_state
set trying_until = clock_timestamp() + make_interval(secs => %(seconds)s)
where resource = %(resource)s
  and paused_until <= clock_timestamp()
  and (trying_until is null or trying_until <= clock_timestamp())
returning resource
