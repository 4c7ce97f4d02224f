-- Count the due routes of each channel, up to `most`, and read the channel's rate. Routes under a
-- lease count as due, because checking leases costs more. A channel that is paused, or waits for
-- its probe, needs no more workers and is left out.
-- Safe: Plain reads. Each lane is a range of the due index, and both limits end the count there.
with moment as materialized (
    select clock_timestamp() as at
)
select s.channel, s.rate, (
    select count(*)
    from (
        select
        from unnest(%(channels)s::text[], %(lanes)s::smallint[]) as asked (channel, lane)
        cross join lateral (
            select
            from dovecote.notification_routes d
            where d.lane = asked.lane
              and d.status in ('pending', 'retrying')
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
