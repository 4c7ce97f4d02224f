-- Give back routes that were claimed without a send, or throttled. The attempt does not count.
-- Behind a resource that is paused or probed they are due when that ends; throttled ones after a
-- delay, give or take a half. In both cases they wait since they were first due.
-- Safe: As publish.sql. A route whose lease had run out before becomes lapsed again, with its hold
-- over: dispatch claims it alone again and remembers that an earlier worker may have sent it.
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
