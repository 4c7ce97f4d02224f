-- Read a notification.
-- Safe: A plain read by primary key.
select notification_id, kind, idempotency_key, fingerprint, created_at, deliver_at
from dovecote.notifications
where notification_id = %(notification_id)s
