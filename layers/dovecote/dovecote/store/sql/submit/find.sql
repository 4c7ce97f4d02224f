-- Find the notification that holds a key within its kind.
-- Safe: A plain read along the unique index.
select notification_id
from dovecote.notifications
where kind = %(kind)s and idempotency_key = %(idempotency_key)s
