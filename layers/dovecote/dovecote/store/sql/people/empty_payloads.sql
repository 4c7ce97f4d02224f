-- Empty the payloads of notifications none of whose routes names a person.
-- Safe: lock_notifications.sql has locked the rows. OFFSET 0 makes the planner read the routes of
-- each notification along their index, up to the first that names a person.
update dovecote.notifications n
set payload = '{}'
where n.notification_id = any (array(select unnest(%(notification_ids)s::uuid[])))
  and not exists (
      select from dovecote.notification_routes r
      where r.notification_id = n.notification_id
        and (r.user_id is not null or r.resolved_email is not null)
      offset 0
  )
