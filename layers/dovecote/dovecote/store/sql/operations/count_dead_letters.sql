-- Count open dead letters that match a filter, up to `most`.
-- Safe: As dead_letters.sql; both limits end the count. It needs the order for the plan alone: the index by time
-- has another one, so the planner does not scan it for a reason that has no dead letter.
select count(*) as matched
from (
    select
    from unnest(%(reasons)s::text[]) as each (reason)
    cross join lateral (
        select
        from dovecote.notification_dead_letters d
        where closed_at is null
          and d.reason = each.reason
          and (%(kind)s::text is null or kind = %(kind)s)
          and (%(channel)s::text is null or channel = %(channel)s)
          and (%(since)s::timestamptz is null or dead_lettered_at >= %(since)s)
          and (%(until)s::timestamptz is null or dead_lettered_at < %(until)s)
        order by dead_lettered_at desc, dead_letter_id desc
        limit %(most)s
    ) found
    limit %(most)s
) counted
