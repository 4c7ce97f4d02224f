-- Read why and since when an address or a user is suppressed.
-- Safe: A plain read by primary key.
select reason, created_at
from dovecote.suppressions
where person_hash = %(person_hash)s
