-- Put acceptances on record of emails that were on record with another message.
-- Safe: after record_acceptances.sql, and as it is; a message is kept once, and nothing is ever taken back.
insert into dovecote.further_acceptances (template_id, idempotency_key, message_id)
select known.*
from unnest(%(template_ids)s::text[], %(keys)s::text[], %(accepted_ids)s::text[])
    as known (template_id, idempotency_key, message_id)
join dovecote.email_deliveries d using (template_id, idempotency_key)
where d.message_id <> known.message_id
on conflict do nothing
