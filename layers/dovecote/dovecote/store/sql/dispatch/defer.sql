-- Give back routes that the provider refused, where the cause may be the resource that they went
-- through. The attempt does not count. Each is due after the routes that wait for the resource, by
-- its own delay, so that the next probe sends others. One JSON object has the delay and error of
-- each.
-- Safe: As publish.sql. A route whose lease had run out before is given back as in give_back.sql.
update dovecote.notification_routes
set attempts = attempts - 1,
    claim_token = case when %(lapsed)s then claim_token end,
    leased_until = case when %(lapsed)s then clock_timestamp() - make_interval(secs => %(hold)s) end,
    next_attempt_at = greatest(next_attempt_at, least(expires_at, greatest(clock_timestamp(), (
        select paused_until from dovecote.channel_state where resource = %(behind)s
    )) + make_interval(secs => (%(deferrals)s::jsonb -> route_id::text ->> 'delay')::float8))),
    last_error = %(deferrals)s::jsonb -> route_id::text ->> 'error',
    waiting_since = coalesce(waiting_since, next_attempt_at),
    waiting_for = %(behind)s,
    refusals = least(coalesce(refusals, 0), 9999) + 1,
    refused_at = coalesce(refused_at, clock_timestamp())
where route_id = any (array(select jsonb_object_keys(%(deferrals)s::jsonb)::uuid))
  and claim_token = %(token)s
