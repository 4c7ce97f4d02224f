-- Suppress an address for an operator, and read what stands: one that is suppressed already keeps its reason.
-- Safe: one row by primary key; the update changes nothing, and lets the row be returned.
insert into dovecote.suppressions as s (address_hash, email, reason)
values (dovecote.address_hash(%(email)s), %(email)s, 'manual')
on conflict (address_hash) do update set reason = s.reason
returning reason, created_at
