-- Find the lanes that have a due route without a lease.
-- Safe: A plain read of one route of each lane along the due index, from the cursors as in claim.sql.
with moment as materialized (
    select clock_timestamp() as at
)
select asked.lane
from unnest(%(lanes)s::smallint[], %(since)s::float8[]) as asked (lane, since)
cross join lateral (
    select
    from dovecote.notification_routes d
    where d.lane = asked.lane
      and d.status in ('pending', 'retrying')
      and d.next_attempt_at >= case when (select at from moment) < to_timestamp(%(until)s)
          then to_timestamp(asked.since) else '-infinity' end
      and d.next_attempt_at <= (select at from moment)
      and d.leased_until is null
    order by d.next_attempt_at
    limit 1
) due
