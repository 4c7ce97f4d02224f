-- Delete submissions that were refused, or have been pending, for more than `days`.
-- Safe: SKIP LOCKED waits for no worker that expands one. Refused submissions are few.
delete from dovecote.inbox
where notification_id = any (array(
    select notification_id
    from dovecote.inbox
    where coalesce(refused_at, created_at) < clock_timestamp() - make_interval(days => %(days)s)
    limit %(most)s
    for update skip locked
))
