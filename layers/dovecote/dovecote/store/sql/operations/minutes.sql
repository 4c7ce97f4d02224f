-- Count what was published and what failed in each minute of the last hour, the current one
-- included.
-- Safe: Plain reads along two BRIN indexes, which skip the pages of other hours. Without statistics
-- PostgreSQL would scan the table, so use_indexes.sql runs before.
with moment as materialized (
    select date_trunc('minute', clock_timestamp() at time zone 'utc') as minute
), published as (
    select date_trunc('minute', published_at at time zone 'utc') as minute, count(*) as published
    from dovecote.notification_routes
    where published_at is not null
      and date_trunc('minute', published_at at time zone 'utc')
          > (select minute from moment) - interval '1 hour'
      and date_trunc('minute', published_at at time zone 'utc') <= (select minute from moment)
    group by 1
), failed as (
    select date_trunc('minute', at at time zone 'utc') as minute,
           count(*) filter (where event in ('failed', 'in_doubt')) as failed,
           count(*) filter (where event in ('dead_lettered', 'rejected')) as dead_lettered
    from dovecote.notification_events
    where date_trunc('minute', at at time zone 'utc')
          > (select minute from moment) - interval '1 hour'
      and date_trunc('minute', at at time zone 'utc') <= (select minute from moment)
    group by 1
)
select each.minute at time zone 'utc' as at,
       coalesce(published, 0)::integer as published,
       coalesce(failed, 0)::integer as failed,
       coalesce(dead_lettered, 0)::integer as dead_lettered
from moment
cross join lateral generate_series(
    moment.minute - interval '59 minutes', moment.minute, interval '1 minute'
) as each (minute)
left join published on published.minute = each.minute
left join failed on failed.minute = each.minute
order by each.minute
