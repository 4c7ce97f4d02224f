-- Put emails that the provider accepted on record, once.
-- Safe: whoever learns of an acceptance writes it, even a worker that lost its claim; the first
-- wins, but for one that the provider accepted and then did not send. Always before the routes of a
-- transaction, so that two transactions take their locks in one order.
insert into dovecote.email_deliveries as known (template_id, idempotency_key, message_id)
select * from unnest(%(template_ids)s::text[], %(keys)s::text[], %(message_ids)s::text[])
on conflict (template_id, idempotency_key) do update
set message_id = excluded.message_id, accepted_at = excluded.accepted_at, rejected_at = null
where known.rejected_at is not null and known.message_id <> excluded.message_id
