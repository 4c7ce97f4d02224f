-- Keep the last notification that a purge has read. Of two purges at once the one that is further counts.
-- Safe: One row, which purges alone lock.
update dovecote.purge_place set after_id = greatest(after_id, %(last)s)
