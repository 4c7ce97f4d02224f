-- Read the oldest notifications after one whose payloads are kept for the same number of days, up to a number of
-- notifications and of routes, and whether each payload may be removed: all routes have ended, and did so `days` ago.
-- Safe: Plain reads, one notification at a time along an index, whose ids are in the order of time.
-- remove_payloads reads the routes again, under the lock of the payload.
with recursive moment as materialized (
    select before, (lpad(to_hex(greatest(0, extract(epoch from before) * 1000)::bigint), 12, '0')
        || repeat('0', 20))::uuid as ids_from
    from (select clock_timestamp() - make_interval(days => %(days)s) as before) as past
), old (place, notification_id, ended, seen) as (
    select 0, %(after)s::uuid, false, 0::bigint
    union all
    select old.place + 1, p.notification_id, r.ended, old.seen + r.routes
    from old
    cross join lateral (
        select notification_id
        from dovecote.notification_payloads
        where payload_days = %(payload_days)s
          and notification_id > old.notification_id
          and notification_id < (select ids_from from moment)
        order by notification_id
        limit 1
    ) p
    cross join lateral (
        select count(*) as routes,
               coalesce(bool_and(
                   status not in ('pending', 'retrying')
                   and greatest(created_at, last_attempt_at, published_at) < (select before from moment)
                   and not exists (
                       select from dovecote.notification_events e
                       where e.route_id = route.route_id
                         and e.at >= (select before from moment)
                         and e.event not in ('erased', 'delivered', 'delayed', 'bounced', 'complained')
                       offset 0
                   )
               ), true) as ended
        from dovecote.notification_routes route
        where notification_id = p.notification_id
    ) r
    where old.place < %(most)s and old.seen < %(most_routes)s
)
select notification_id, ended from old where place > 0 order by place
