-- Read open dead letters that match a filter, the newest first, after a place: the newest of each reason,
-- and then the newest of all.
-- Safe: Plain reads along the index of open dead letters with this filter, up to `limit` of each reason.
-- The planner sees the values, so an absent filter is no condition.
select found.*
from unnest(%(reasons)s::text[]) as each (reason)
cross join lateral (
    select dead_letter_id, route_id, notification_id, kind, channel, d.reason, error, attempts, dead_lettered_at
    from dovecote.notification_dead_letters d
    where closed_at is null
      and d.reason = each.reason
      and (%(kind)s::text is null or kind = %(kind)s)
      and (%(channel)s::text is null or channel = %(channel)s)
      and (%(since)s::timestamptz is null or dead_lettered_at >= %(since)s)
      and (%(until)s::timestamptz is null or dead_lettered_at < %(until)s)
      and (%(place)s::bigint is null
           or (dead_lettered_at, dead_letter_id) < (%(place_at)s::timestamptz, %(place)s::bigint))
    order by dead_lettered_at desc, dead_letter_id desc
    limit %(limit)s
) found
order by dead_lettered_at desc, dead_letter_id desc
limit %(limit)s
