-- Store a notification and all its routes. It stores nothing if the kind and key are taken, or if
-- one of these users has devices, or one of these people was erased; then it returns which.
-- Safe: One statement, so all rows or none. schema/migrations/0005_submit.sql has the function's body.
select stored_at, due_at, devices, suppressed, erased
from dovecote.store_notification(
    %(notification_id)s, %(kind)s, %(idempotency_key)s, %(fingerprint)s, %(payload)s, %(traceparent)s,
    %(deliver_at)s, %(priority)s, %(max_attempts)s, %(expires_in)s, %(token)s, %(lease)s, %(routes)s,
    %(unless_devices_of)s, %(people)s, %(from_inbox)s, %(payload_days)s
)
