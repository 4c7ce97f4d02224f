-- Claim submissions that are due: by the priority of their kinds, unknown kinds last, then by age. The
-- rows that were attempted before are claimed only if `again` is set. A claim counts the attempt and
-- makes the row due again later, so a row is not lost with its worker.
-- Safe: The kinds that wait are found one by one along inbox_due, then the first rows of each, so a
-- claim reads `most` rows of each kind. SKIP LOCKED waits for no other worker, and each row is read
-- again once it is locked.
with recursive moment as materialized (
    select clock_timestamp() as at
), waiting (kind) as (
    (
        select kind from dovecote.inbox
        where next_attempt_at is not null
        order by kind
        limit 1
    )
    union all
    select (
        select i.kind from dovecote.inbox i
        where i.next_attempt_at is not null and i.kind > waiting.kind
        order by i.kind
        limit 1
    )
    from waiting
    where waiting.kind is not null
), due as materialized (
    select first.notification_id
    from waiting
    left join unnest(%(kinds)s::text[], %(priorities)s::smallint[]) as known (kind, priority)
      on known.kind = waiting.kind
    cross join lateral (
        select i.notification_id, i.next_attempt_at
        from dovecote.inbox i
        where i.kind = waiting.kind
          and i.next_attempt_at <= (select at from moment)
          and (i.attempts > 0) = %(again)s
        order by i.next_attempt_at
        limit %(most)s
    ) first
    order by known.priority, first.next_attempt_at
    limit %(most)s
), locked as materialized (
    select notification_id
    from dovecote.inbox
    where notification_id = any (array(select notification_id from due))
      and next_attempt_at <= (select at from moment)
    for update skip locked
)
update dovecote.inbox i
set attempts = attempts + 1,
    next_attempt_at = (select at from moment) + make_interval(
        secs => least(%(most_seconds)s, %(base_seconds)s * power(2, attempts)))
where i.notification_id = any (array(select notification_id from locked))
returning i.notification_id, i.kind, i.idempotency_key, i.payload, i.recipients, i.deliver_at,
          i.traceparent, i.attempts, (
    select n.notification_id
    from dovecote.notifications n
    where n.kind = i.kind and n.idempotency_key = i.idempotency_key
) as holder
