-- Suppress erased addresses, by their hashes alone, and delete what earlier suppressions recorded.
-- Safe: By primary key, in one order.
insert into dovecote.suppressions (address_hash, reason)
select dovecote.address_hash(address), 'erased'
from unnest(%(addresses)s::text[]) as erased (address)
order by 1
on conflict (address_hash) do update
set address = null, reason = 'erased', route_id = null, message_id = null
