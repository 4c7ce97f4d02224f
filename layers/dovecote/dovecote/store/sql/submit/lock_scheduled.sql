-- Lock scheduled routes to users that are due, the oldest of each lane up to `most`, and read what their
-- expansion needs. `routes` is how many routes their notification has.
-- Safe: A range of the due index for each lane, whose routes no claim reads. SKIP LOCKED waits for no
-- other expansion, cancel or erasure, and each route is read again once it is locked. The routes of a
-- notification are counted once, along their index.
with moment as materialized (
    select clock_timestamp() as at
), due as materialized (
    select locked.*
    from unnest(%(lanes)s::smallint[]) as asked (lane)
    cross join lateral (
        select d.route_id, d.notification_id, d.channel, d.user_id, d.device_session_id
        from dovecote.notification_routes d
        where d.lane = asked.lane
          and d.status in ('pending', 'retrying')
          and d.next_attempt_at <= (select at from moment)
        order by d.next_attempt_at
        limit %(most)s
        for update skip locked
    ) locked
), sizes as materialized (
    select notification_id, counted.routes
    from (select distinct notification_id from due) notifications
    cross join lateral (
        select count(*) as routes
        from dovecote.notification_routes r
        where r.notification_id = notifications.notification_id
    ) counted
)
select due.*, sizes.routes
from due
join sizes using (notification_id)
