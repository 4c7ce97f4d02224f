-- Read after which notification a purge continues: the nil UUID once a day.
-- Safe: One row, which purges alone lock.
update dovecote.purge_place
set after_id = case when began_at < clock_timestamp() - interval '1 day' then %(first)s else after_id end,
    began_at = case when began_at < clock_timestamp() - interval '1 day' then clock_timestamp() else began_at end
returning after_id
