-- Unsuppress an address, or let an erased user be stored again.
-- Safe: One row by primary key.
delete from dovecote.suppressions
where person_hash = %(person_hash)s
