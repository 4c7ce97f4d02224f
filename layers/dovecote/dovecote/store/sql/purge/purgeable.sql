-- Read the old notifications after one, up to a number of notifications and of routes, and whether
-- each is over: all its routes have ended, nothing has changed them for `days`, and they are locked
-- here. An erasure does not count as a change.
-- Safe: SKIP LOCKED waits for no lock; a notification with a locked route is kept. A redrive that
-- comes later waits for the deletion and finds no route; one that came first made the route live,
-- which the locked row shows. The ids are in the order of time, so the scan follows the primary
-- key, one notification at a time, without an index of its own. Records that were written under the
-- lock of a route are read after that lock, in a step of their own.
with recursive moment as materialized (
    select before, (lpad(to_hex(greatest(0, extract(epoch from before) * 1000)::bigint), 12, '0')
        || repeat('0', 20))::uuid as ids_from
    from (select clock_timestamp() - make_interval(days => %(days)s) as before) as past
), old (place, notification_id, routes, rested, seen) as (
    select 0, %(after)s::uuid, 0::bigint, false, 0::bigint
    union all
    select old.place + 1, n.notification_id, r.routes, r.rested, old.seen + r.routes
    from old
    cross join lateral (
        select notification_id
        from dovecote.notifications
        where notification_id > old.notification_id
          and notification_id < (select ids_from from moment)
        order by notification_id
        limit 1
    ) n
    cross join lateral (
        select count(*) as routes,
               coalesce(bool_and(
                   status not in ('pending', 'retrying')
                   and greatest(created_at, last_attempt_at, published_at) < (select before from moment)
               ), true) as rested
        from dovecote.notification_routes
        where notification_id = n.notification_id
    ) r
    where old.place < %(most)s and old.seen < %(most_routes)s
), locked as materialized (
    select o.notification_id, r.route_id
    from old o
    cross join lateral (
        select d.route_id
        from dovecote.notification_routes d
        where d.notification_id = o.notification_id
          and d.status not in ('pending', 'retrying')
          and greatest(d.created_at, d.last_attempt_at, d.published_at) < (select before from moment)
        limit o.routes
        for update skip locked
    ) r
    where o.rested
), held as materialized (
    select l.notification_id, count(*) as routes, bool_or(exists (
        select from dovecote.notification_events e
        where e.route_id = l.route_id and e.at >= (select before from moment) and e.event <> 'erased'
        offset 0
    )) as touched
    from locked l
    group by l.notification_id
)
select o.notification_id,
       o.rested and coalesce(h.routes, 0) = o.routes and not coalesce(h.touched, false) as over
from old o
left join held h using (notification_id)
where o.place > 0
order by o.place
