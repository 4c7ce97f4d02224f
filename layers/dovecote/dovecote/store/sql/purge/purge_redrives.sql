-- Delete up to `most` redrives that are older than `days` and that no dead letter names.
-- Safe: Nothing changes a redrive after its call. The ids are in the order of time, so the scan follows the
-- primary key; each dead letter is found along its index.
delete from dovecote.redrives
where redrive_id = any (array(
    select r.redrive_id
    from dovecote.redrives r
    where r.redrive_id < (lpad(to_hex(greatest(0, extract(epoch from
              clock_timestamp() - make_interval(days => %(days)s)) * 1000)::bigint), 12, '0')
              || repeat('0', 20))::uuid
      and not exists (
          select from dovecote.notification_dead_letters d where d.redrive_id = r.redrive_id offset 0
      )
    order by r.redrive_id
    limit %(most)s
))
