-- Read why and since when an address is suppressed.
-- Safe: A plain read by primary key.
select reason, created_at
from dovecote.suppressions
where address_hash = dovecote.address_hash(%(email)s)
