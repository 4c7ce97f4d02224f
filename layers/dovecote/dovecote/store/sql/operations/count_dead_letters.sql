-- Count open dead letters that match a filter, up to `most`.
-- Safe: As dead_letters.sql.
select count(*) as matched
from (
    select
    from dovecote.notification_dead_letters
    where closed_at is null
      and (%(kind)s::text is null or kind = %(kind)s)
      and (%(channel)s::text is null or channel = %(channel)s)
      and (%(reason)s::text is null or reason = %(reason)s)
      and (%(since)s::timestamptz is null or dead_lettered_at >= %(since)s)
      and (%(until)s::timestamptz is null or dead_lettered_at < %(until)s)
    limit %(most)s
) counted
