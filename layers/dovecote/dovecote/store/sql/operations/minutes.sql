-- Count the routes that were published, failed and ended in each minute of the last hour, the current one
-- included.
-- Safe: A plain read along the primary key: a row for each minute and each connection that wrote in it.
with moment as materialized (
    select date_trunc('minute', clock_timestamp(), 'utc') as minute
), counted as (
    select minute,
           sum(published) as published,
           sum(failed) as failed,
           sum(dead_lettered) as dead_lettered
    from dovecote.minutes
    where minute > (select minute from moment) - interval '1 hour'
      and minute <= (select minute from moment)
    group by minute
)
select each.minute as at,
       coalesce(published, 0)::integer as published,
       coalesce(failed, 0)::integer as failed,
       coalesce(dead_lettered, 0)::integer as dead_lettered
from moment
cross join lateral generate_series(
    moment.minute - interval '59 minutes', moment.minute, interval '1 minute'
) as each (minute)
left join counted on counted.minute = each.minute
order by each.minute
