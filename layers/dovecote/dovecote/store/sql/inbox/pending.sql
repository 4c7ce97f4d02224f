-- Read a pending submission, also before it is due.
-- Safe: A plain read by primary key, and one along the unique index of keys.
select i.notification_id, i.kind, i.idempotency_key, i.payload, i.recipients, i.deliver_at,
       i.traceparent, i.attempts, (
    select n.notification_id
    from dovecote.notifications n
    where n.kind = i.kind and n.idempotency_key = i.idempotency_key
) as holder
from dovecote.inbox i
where i.notification_id = %(notification_id)s and i.refused_at is null
