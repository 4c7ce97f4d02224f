-- Give back claimed submissions whose expansion did not begin.
-- Safe: By primary key. A row that was expanded or refused meanwhile is left as it is.
update dovecote.inbox
set attempts = attempts - 1,
    next_attempt_at = clock_timestamp()
where notification_id = any (array(select unnest(%(notification_ids)s::uuid[])))
  and next_attempt_at is not null and attempts > 0
