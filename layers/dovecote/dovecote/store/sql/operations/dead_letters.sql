-- Read open dead letters that match a filter, the newest first, after a place.
-- Safe: Plain reads along the index of open dead letters by kind, channel, reason or time alone.
-- The planner sees the values, so an absent filter is no condition.
select dead_letter_id, route_id, notification_id, kind, channel, reason, error, attempts, dead_lettered_at
from dovecote.notification_dead_letters
where closed_at is null
  and (%(kind)s::text is null or kind = %(kind)s)
  and (%(channel)s::text is null or channel = %(channel)s)
  and (%(reason)s::text is null or reason = %(reason)s)
  and (%(since)s::timestamptz is null or dead_lettered_at >= %(since)s)
  and (%(until)s::timestamptz is null or dead_lettered_at < %(until)s)
  and (%(place)s::bigint is null
       or (dead_lettered_at, dead_letter_id) < (%(place_at)s::timestamptz, %(place)s::bigint))
order by dead_lettered_at desc, dead_letter_id desc
limit %(limit)s
