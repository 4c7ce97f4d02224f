-- Read what became of a submission that has not become a notification.
-- Safe: A plain read by primary key.
select notification_id, kind, idempotency_key, created_at, refused_at, problem
from dovecote.inbox
where notification_id = %(notification_id)s
