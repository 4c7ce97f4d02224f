-- Put a redrive on record, or update its counts.
-- Safe: One row by primary key; its counts are written with the routes that they count.
insert into dovecote.redrives
    (redrive_id, who, filter, per_second, most, expires_at, matched, redriven, refused)
values (%(redrive_id)s, %(who)s, %(filter)s::jsonb, %(per_second)s, %(most)s, %(expires_at)s,
        %(matched)s, %(redriven)s, %(refused)s)
on conflict (redrive_id) do update
set redriven = excluded.redriven, refused = excluded.refused
