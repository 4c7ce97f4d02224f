-- Unsuppress an address.
-- Safe: One row by primary key.
delete from dovecote.suppressions
where address_hash = dovecote.address_hash(%(email)s)
