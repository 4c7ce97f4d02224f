-- Erase recipients who named an address and no user: their pushes are stored next to their emails
-- and were skipped for want of a user. A neighbour's skipped push, which is equally useless, may be
-- erased too.
-- Safe: Along the index of the notification, two routes for each erased one; they have ended.
update dovecote.notification_routes
set device_session_id = null, locale = null, data = null
where route_id = any (array(
    select beside.route_id
    from unnest(%(notification_ids)s::uuid[], %(positions)s::integer[])
        as erased (notification_id, position)
    cross join lateral (
        select r.route_id
        from dovecote.notification_routes r
        where r.notification_id = erased.notification_id
          and r.position in (erased.position - 1, erased.position + 1)
          and r.status = 'skipped' and r.user_id is null and r.resolved_email is null
        limit 2
    ) beside
))
