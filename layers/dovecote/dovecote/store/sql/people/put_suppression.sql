-- Suppress an address for an operator and read its suppression; an existing one keeps its reason.
-- Safe: One row by primary key. The update changes nothing; it makes the statement return the row.
insert into dovecote.suppressions as s (person_hash, address, reason)
values (%(person_hash)s, %(email)s, 'manual')
on conflict (person_hash) do update set reason = s.reason
returning reason, created_at
