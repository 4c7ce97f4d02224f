-- Put emails that the provider accepted on record, once, except those that are known as not sent.
-- Whoever learns of an acceptance writes it, even a worker that lost its claim; the first one
-- stays.
-- Safe: Always before the routes of a transaction, so that two transactions take their locks in one
-- order. LIMIT makes the read of rejections a probe of their index, whatever the planner estimates.
insert into dovecote.email_deliveries (route_id, message_id)
select *
from unnest(%(route_ids)s::uuid[], %(accepted_ids)s::text[])
    as known (route_id, message_id)
where (
    select r.message_id from dovecote.email_rejections r
    where r.message_id = known.message_id
    limit 1
) is null
on conflict (route_id) do nothing
