-- Take the right to try a resource after its pause, with one route, for all workers.
-- Safe: one row; of many that ask one gets it, and another after it when that one was not heard of.
update dovecote.channel_state
set trying_until = clock_timestamp() + make_interval(secs => %(seconds)s)
where resource = %(resource)s
  and paused_until <= clock_timestamp()
  and (trying_until is null or trying_until <= clock_timestamp())
returning resource
