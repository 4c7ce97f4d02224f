-- Read how long the oldest due submission has waited, and how many were refused in the last hour.
-- Safe: Plain reads: the kinds that wait one by one along inbox_due, then the first row of each;
-- and the last hour along inbox_refused, up to the number that matters for an alarm.
with recursive waiting (kind, next_attempt_at) as (
    (
        select kind, next_attempt_at from dovecote.inbox
        where next_attempt_at is not null
        order by kind, next_attempt_at
        limit 1
    )
    union all
    select later.*
    from waiting
    cross join lateral (
        select i.kind, i.next_attempt_at from dovecote.inbox i
        where i.next_attempt_at is not null and i.kind > waiting.kind
        order by i.kind, i.next_attempt_at
        limit 1
    ) later
)
select
    coalesce((
        select greatest(0, extract(epoch from clock_timestamp() - min(next_attempt_at))) from waiting
    ), 0)::float8 as expansion_lag_seconds,
    (
        select count(*)
        from (
            select from dovecote.inbox
            where refused_at > clock_timestamp() - interval '1 hour'
            limit 10000
        ) recent
    ) as refused_hour
