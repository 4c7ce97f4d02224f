-- Put acceptances on record of emails that have another message on record. Each message is kept
-- once, and nothing removes it.
-- Safe: After record_acceptances.sql, and as it is.
insert into dovecote.further_acceptances (route_id, message_id)
select known.*
from unnest(%(route_ids)s::uuid[], %(accepted_ids)s::text[])
    as known (route_id, message_id)
join dovecote.email_deliveries d using (route_id)
where d.message_id <> known.message_id
on conflict do nothing
