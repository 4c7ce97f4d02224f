-- Take the right to call dispatch, for one second of the whole stack, unless all of these channels
-- are paused.
-- Safe: One row, and no caller waits for it. Of many callers one gets it; those that find it locked
-- skip it. The row is read again once it is locked, so two callers cannot take the same second.
update dovecote.handover
set taken_until = clock_timestamp() + interval '1 second'
where one = any (array(
    select h.one
    from dovecote.handover h
    where h.taken_until <= clock_timestamp()
      and exists (
          select from dovecote.channel_state s
          where s.resource = any (%(channels)s)
            and coalesce(greatest(s.paused_until, s.trying_until) <= clock_timestamp(), true)
      )
    for update of h skip locked
))
returning one
