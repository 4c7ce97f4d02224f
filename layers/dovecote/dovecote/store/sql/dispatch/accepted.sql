-- Read which of these routes an email provider accepted, by route id. Dispatch runs it before every
-- attempt after the first.
-- Safe: Plain reads along unique indexes.
select idempotency_key, message_id
from unnest(%(template_ids)s::text[], %(keys)s::text[]) as asked (template_id, idempotency_key)
join dovecote.accepted_emails using (template_id, idempotency_key)
