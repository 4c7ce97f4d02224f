-- Read what alarms look at, by one clock reading.
-- Safe: plain reads. The oldest due route is one probe of the due index for each lane, whether its
-- channel is paused or not. Open dead letters of the last hour are counted along their index, and
-- no further than an alarm could care. Pauses are those of a channel as a whole, of its account.
with moment as materialized (
    select clock_timestamp() as at
)
select
    greatest(0, extract(epoch from (select at from moment) - (
        select min(oldest.next_attempt_at)
        from unnest(%(lanes)s::smallint[]) as asked (lane)
        cross join lateral (
            select d.next_attempt_at
            from dovecote.notification_routes d
            where d.lane = asked.lane and d.status in ('pending', 'retrying')
            order by d.next_attempt_at
            limit 1
        ) oldest
    )))::float8 as oldest_due_seconds,
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
        select count(*) from dovecote.channel_state
        where resource = 'email' and greatest(paused_until, trying_until) > (select at from moment)
    ) as email_paused,
    (
        select count(*) from dovecote.channel_state
        where resource = 'push' and greatest(paused_until, trying_until) > (select at from moment)
    ) as push_paused
