-- Read why an address is suppressed, and since when.
-- Safe: a plain read by primary key.
select reason, created_at
from dovecote.suppressions
where address_hash = dovecote.address_hash(%(email)s)
