-- Suppress an address for an operator and read its suppression; an existing one keeps its reason.
-- Safe: One row by primary key. The update changes nothing; it makes the statement return the row.
insert into dovecote.suppressions as s (address_hash, address, reason)
values (dovecote.address_hash(%(email)s), %(email)s, 'manual')
on conflict (address_hash) do update set reason = s.reason
returning reason, created_at
