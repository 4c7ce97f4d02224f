-- Put emails that the provider accepted on record, once.
-- Safe: whoever learns of an acceptance writes it, even a worker that lost its claim; the first wins.
insert into dovecote.email_deliveries (template_id, idempotency_key, message_id)
select * from unnest(%(template_ids)s::text[], %(keys)s::text[], %(message_ids)s::text[])
on conflict (template_id, idempotency_key) do nothing
