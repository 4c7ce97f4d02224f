-- Store a notification and all its routes, or nothing where its kind and key are taken, or where one of
-- these users has devices: then these are the answer.
-- Safe: one statement, so no row without the others; what it does is in migrations/.
select stored_at, due_at, devices, suppressed
from dovecote.store_notification(
    %(notification_id)s, %(kind)s, %(idempotency_key)s, %(fingerprint)s, %(payload)s, %(traceparent)s,
    %(deliver_at)s, %(priority)s, %(max_attempts)s, %(expires_in)s, %(token)s, %(lease)s, %(routes)s,
    %(unless_devices_of)s
)
