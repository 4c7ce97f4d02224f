-- Let an address be sent to again.
-- Safe: one row by primary key.
delete from dovecote.suppressions
where address_hash = dovecote.address_hash(%(email)s)
