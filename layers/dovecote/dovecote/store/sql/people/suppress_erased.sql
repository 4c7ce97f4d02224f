-- Suppress erased people, by their hashes alone, and delete what earlier suppressions recorded.
-- Safe: By primary key, in one order, after lock_submits.sql in the same transaction.
insert into dovecote.suppressions (person_hash, reason)
select hash, 'erased'
from unnest(%(hashes)s::bytea[]) as erased (hash)
order by 1
on conflict (person_hash) do update
set address = null, reason = 'erased', route_id = null, message_id = null
