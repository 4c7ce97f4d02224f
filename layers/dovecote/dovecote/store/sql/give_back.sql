-- Give routes back that were claimed and not begun, or throttled: the attempt is not counted. Behind a
-- resource that is paused, or probed by one worker, they are due when that is over; throttled ones after a
-- delay, give or take half of it. Both wait since they were due.
-- Safe: as publish.sql. One whose lease had run out before goes back as that, its hold over: it is
-- claimed alone again, and what an earlier worker may have sent is not forgotten.
update dovecote.notification_routes
set attempts = attempts - 1,
    claim_token = case when %(lapsed)s then claim_token end,
    leased_until = case when %(lapsed)s then clock_timestamp() - make_interval(secs => %(hold)s) end,
    next_attempt_at = greatest(
        next_attempt_at,
        (
            select least(greatest(paused_until, trying_until), expires_at)
            from dovecote.channel_state where resource = %(behind)s and paused_until is not null
        ),
        case when %(delay)s > 0 then
            least(clock_timestamp() + make_interval(secs => %(delay)s * (0.5 + random())), expires_at)
        end
    ),
    waiting_since = coalesce(
        waiting_since,
        (
            select next_attempt_at
            from dovecote.channel_state where resource = %(behind)s and paused_until is not null
        ),
        case when %(delay)s > 0 then next_attempt_at end
    ),
    waiting_for = coalesce(
        (
            select resource
            from dovecote.channel_state where resource = %(behind)s and paused_until is not null
        ),
        waiting_for,
        case when %(delay)s > 0 then channel end
    )
where route_id = any (array(select unnest(%(route_ids)s::uuid[])))
  and claim_token = %(token)s
