-- Put emails that the provider accepted on record, once; but none of which it is known that it was
-- not sent after all.
-- Safe: whoever learns of an acceptance writes it, even a worker that lost its claim; the first wins.
-- Always before the routes of a transaction, so that two transactions take their locks in one order.
insert into dovecote.email_deliveries (template_id, idempotency_key, message_id)
select *
from unnest(%(template_ids)s::text[], %(keys)s::text[], %(accepted_ids)s::text[])
    as known (template_id, idempotency_key, message_id)
where not exists (
    select from dovecote.email_rejections r where r.message_id = known.message_id
)
on conflict (template_id, idempotency_key) do nothing
