-- Read the numbers that alarms watch, with one reading of the clock.
-- Safe: Plain reads. The oldest due route is one probe of the due index for each lane, of paused
-- channels too, and one probe of the index of waiting routes for each resource; those count from
-- their first due time. Routes behind pauses and open dead letters of the last hour are counted
-- along their indexes, up to the number that matters for an alarm.
with moment as materialized (
    select clock_timestamp() as at
), awaited as materialized (
    select resource, resource <> channel and paused_until is not null as paused
    from dovecote.channel_state
)
select
    greatest(0, extract(epoch from (select at from moment) - least((
        select min(oldest.next_attempt_at)
        from unnest(%(lanes)s::smallint[]) as asked (lane)
        cross join lateral (
            select d.next_attempt_at
            from dovecote.notification_routes d
            where d.lane = asked.lane and d.status in ('pending', 'retrying')
            order by d.next_attempt_at
            limit 1
        ) oldest
    ), (
        select min(oldest.waiting_since)
        from awaited
        cross join lateral (
            select d.waiting_since
            from dovecote.notification_routes d
            where d.waiting_for = awaited.resource
              and d.waiting_since is not null and d.status in ('pending', 'retrying')
            order by d.waiting_since
            limit 1
        ) oldest
    ))))::float8 as oldest_due_seconds,
    (
        select count(*)
        from (
            (
                select
                from awaited
                cross join lateral (
                    select
                    from dovecote.notification_routes d
                    where d.waiting_for = awaited.resource
                      and d.waiting_since is not null and d.status in ('pending', 'retrying')
                      and (awaited.paused or d.next_attempt_at > (select at from moment))
                    order by d.waiting_since
                    limit 10000
                ) waiting
                limit 10000
            )
            union all
            (
                select
                from unnest(%(channels)s::text[], %(lanes)s::smallint[]) as asked (channel, lane)
                join dovecote.channel_state s
                  on s.resource = asked.channel and s.paused_until is not null
                cross join lateral (
                    select
                    from dovecote.notification_routes d
                    where d.lane = asked.lane
                      and d.status in ('pending', 'retrying')
                      and d.next_attempt_at <= (select at from moment)
                    order by d.next_attempt_at
                    limit 10000
                ) due
                limit 10000
            )
            limit 10000
        ) behind
    ) as waiting_routes,
    (
        select count(*)
        from (
            select
            from dovecote.notification_dead_letters
            where closed_at is null
              and dead_lettered_at > (select at from moment) - interval '1 hour'
            limit 10000
        ) recent
    ) as dead_letters_hour,
    (
        select count(*) from dovecote.channel_state where paused_until is not null
    ) as paused_resources,
    array(
        select resource from dovecote.channel_state
        where resource = channel
          and greatest(paused_until, trying_until) > (select at from moment)
        order by resource
    ) as paused_channels
