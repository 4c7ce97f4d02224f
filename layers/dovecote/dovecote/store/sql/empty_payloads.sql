-- Empty the payloads that are of nobody any more: no route of their notifications names a person.
-- Safe: the rows are locked before, by lock_notifications.sql. OFFSET 0 has the routes of each
-- looked at along their index, no further than the first that names one.
update dovecote.notifications n
set payload = '{}'
where n.notification_id = any (array(select unnest(%(notification_ids)s::uuid[])))
  and not exists (
      select from dovecote.notification_routes r
      where r.notification_id = n.notification_id
        and (r.user_id is not null or r.resolved_email is not null)
      offset 0
  )
