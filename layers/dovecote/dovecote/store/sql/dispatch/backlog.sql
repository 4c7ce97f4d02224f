-- Count the due routes of each channel, up to `most`, and read the channel's rate. Routes under a
-- lease count as due, because checking leases costs more. A channel that is paused, or waits for
-- its probe, needs no more workers and is left out.
-- Safe: Plain reads. Each lane is a range of the due index from its cursor on, as in gauges.sql, and
-- both limits end the count there.
with moment as materialized (
    select clock_timestamp() as at
)
select s.channel, s.rate, (
    select count(*)
    from (
        select
        from unnest(%(channels)s::text[], %(lanes)s::smallint[], %(since)s::float8[])
            as asked (channel, lane, since)
        cross join lateral (
            select
            from dovecote.notification_routes d
            where d.lane = asked.lane
              and d.status in ('pending', 'retrying')
              and d.next_attempt_at >= case when (select at from moment) < to_timestamp(%(until)s)
                  then to_timestamp(asked.since) else '-infinity' end
              and d.next_attempt_at <= (select at from moment)
            order by d.next_attempt_at
            limit %(most)s
        ) due
        where asked.channel = s.channel
        limit %(most)s
    ) counted
) as due
from dovecote.channel_state s
where s.resource = s.channel and s.paused_until is null
