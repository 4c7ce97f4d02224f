-- Read which of these routes an email provider is known to have accepted, by route id.
-- Safe: plain reads along unique indexes; asked before every attempt after the first.
select idempotency_key, message_id
from unnest(%(template_ids)s::text[], %(keys)s::text[]) as asked (template_id, idempotency_key)
join dovecote.accepted_emails using (template_id, idempotency_key)
