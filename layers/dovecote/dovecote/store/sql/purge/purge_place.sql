-- Read after which row a purge of this name continues: the nil UUID once a day.
-- Safe: One row, which purges alone lock.
insert into dovecote.purge_place as place (name, after_id, began_at)
values (%(place)s, %(first)s, clock_timestamp())
on conflict (name) do update
set after_id = case when place.began_at < clock_timestamp() - interval '1 day'
        then excluded.after_id else place.after_id end,
    began_at = case when place.began_at < clock_timestamp() - interval '1 day'
        then excluded.began_at else place.began_at end
returning after_id
