-- Suppress addresses that were erased, by their hashes alone; what was known of one before goes too.
-- Safe: by primary key, in one order.
insert into dovecote.suppressions (address_hash, reason)
select dovecote.address_hash(address), 'erased'
from unnest(%(addresses)s::text[]) as erased (address)
order by 1
on conflict (address_hash) do update
set email = null, reason = 'erased', route_id = null, message_id = null
