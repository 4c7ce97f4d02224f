-- Read the numbers that alarms watch, with one reading of the clock.
-- Safe: Plain reads. The oldest due route is one probe of the due index for each lane, of paused
-- channels too, and one probe of the index of waiting routes for each resource; those count from
-- their first due time. Each lane is read from its oldest live route of the last reading on, until
-- `until`: an old snapshot keeps the index entries before it. Routes behind pauses and open dead
-- letters of the last hour are counted along their indexes, up to the number that matters for an
-- alarm.
with moment as materialized (
    select clock_timestamp() as at
), states as materialized (
    select resource, channel, paused_until, trying_until from dovecote.channel_state
), awaited as (
    select resource, resource <> channel and paused_until is not null as paused from states
), asked as materialized (
    select lane, channel, case when (select at from moment) < to_timestamp(%(until)s)
        then to_timestamp(since) else '-infinity' end as since
    from unnest(%(channels)s::text[], %(lanes)s::smallint[], %(since)s::float8[])
        as asked (channel, lane, since)
), oldest as materialized (
    select asked.lane, first.next_attempt_at
    from asked
    cross join lateral (
        select d.next_attempt_at
        from dovecote.notification_routes d
        where d.lane = asked.lane
          and d.status in ('pending', 'retrying')
          and d.next_attempt_at >= asked.since
        order by d.next_attempt_at
        limit 1
    ) first
)
select
    (select date_part('epoch', at) from moment) as at,
    (select coalesce(json_object_agg(lane, date_part('epoch', next_attempt_at)), '{}') from oldest)
        as first_due,
    greatest(0, extract(epoch from (select at from moment) - least((
        select min(next_attempt_at) from oldest
    ), (
        select min(oldest.waiting_since)
        from awaited
        cross join lateral (
            select d.waiting_since
            from dovecote.notification_routes d
            where d.waiting_for = awaited.resource
              and d.waiting_since is not null and d.next_attempt_at is not null
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
                      and d.waiting_since is not null and d.next_attempt_at is not null
                      and (awaited.paused or d.next_attempt_at > (select at from moment))
                    order by d.waiting_since
                    limit 10000
                ) waiting
                limit 10000
            )
            union all
            (
                select
                from asked
                join states s
                  on s.resource = asked.channel and s.paused_until is not null
                cross join lateral (
                    select
                    from dovecote.notification_routes d
                    where d.lane = asked.lane
                      and d.status in ('pending', 'retrying')
                      and d.next_attempt_at >= asked.since
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
        select count(*) from states where paused_until is not null
    ) as paused_resources,
    array(
        select resource from states
        where resource = channel
          and greatest(paused_until, trying_until) > (select at from moment)
        order by resource
    ) as paused_channels
