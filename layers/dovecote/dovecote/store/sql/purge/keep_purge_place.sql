-- Keep the last row that a purge of this name has read. Of two at once the one that is further counts.
-- Safe: One row, which purges alone lock.
update dovecote.purge_place set after_id = greatest(after_id, %(last)s) where name = %(place)s
