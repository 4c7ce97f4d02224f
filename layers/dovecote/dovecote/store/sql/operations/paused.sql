-- Read which resources are paused, until when, and what waits behind each. A pause that is over is
-- listed until a probe of it was answered.
-- Safe: Plain reads of a handful of rows. The routes that wait for a resource are a range of the
-- index of waiting routes, and for a channel also the due part of its lanes; each ends at `most`.
-- The first route of each lane is read in any case.
with moment as materialized (
    select clock_timestamp() as at
), waiting as materialized (
    select s.resource, w.waiting_since as since, true as counts
    from dovecote.channel_state s
    cross join lateral (
        select d.waiting_since
        from dovecote.notification_routes d
        where d.waiting_for = s.resource
          and d.waiting_since is not null and d.next_attempt_at is not null
          and (s.resource <> s.channel or d.next_attempt_at > (select at from moment))
        order by d.waiting_since
        limit %(most)s
    ) w
    where s.paused_until is not null
    union all
    select s.resource, w.next_attempt_at, w.counts
    from dovecote.channel_state s
    cross join lateral (
        (
            select due.next_attempt_at, true as counts
            from unnest(%(channels)s::text[], %(lanes)s::smallint[]) as asked (channel, lane)
            cross join lateral (
                select d.next_attempt_at
                from dovecote.notification_routes d
                where d.lane = asked.lane
                  and d.status in ('pending', 'retrying')
                  and d.next_attempt_at <= (select at from moment)
                order by d.next_attempt_at
                limit %(most)s
            ) due
            where asked.channel = s.resource
            limit %(most)s
        )
        union all
        select first.next_attempt_at, false
        from unnest(%(channels)s::text[], %(lanes)s::smallint[]) as asked (channel, lane)
        cross join lateral (
            select d.next_attempt_at
            from dovecote.notification_routes d
            where d.lane = asked.lane
              and d.status in ('pending', 'retrying')
              and d.next_attempt_at <= (select at from moment)
            order by d.next_attempt_at
            limit 1
        ) first
        where asked.channel = s.resource
    ) w
    where s.paused_until is not null
)
select s.resource, s.channel, greatest(s.paused_until, s.trying_until) as until, s.in_a_row, s.error,
       least(count(w.since) filter (where w.counts), %(most)s)::integer as waiting,
       coalesce(greatest(0, extract(epoch from (select at from moment) - min(w.since))), 0)::float8
           as oldest_waiting_seconds
from dovecote.channel_state s
left join waiting w using (resource)
where s.paused_until is not null
group by s.resource
order by s.resource
