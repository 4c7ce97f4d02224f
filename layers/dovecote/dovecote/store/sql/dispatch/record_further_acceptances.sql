-- Put acceptances on record of emails that have another message on record. Each message is kept
-- once, and nothing removes it.
-- Safe: After record_acceptances.sql, and as it is.
insert into dovecote.further_acceptances (template_id, idempotency_key, message_id)
select known.*
from unnest(%(template_ids)s::text[], %(keys)s::text[], %(accepted_ids)s::text[])
    as known (template_id, idempotency_key, message_id)
join dovecote.email_deliveries d using (template_id, idempotency_key)
where d.message_id <> known.message_id
on conflict do nothing
