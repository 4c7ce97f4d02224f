-- Take the right to call dispatch, for one second of the whole stack, where one of these channels
-- is not paused.
-- Safe: one row that nobody waits for: of many that ask one gets it, and those that find it locked
-- leave it to who has it. It is read again once it is locked, so two cannot take the same second.
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
