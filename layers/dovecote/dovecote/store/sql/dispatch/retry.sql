-- Make routes retrying, if they still carry the token. One JSON object has the values of each. A
-- certain failure ends the doubt of earlier attempts. A refusal with the route as its cause is
-- kept: later refusals need no further proof.
-- Safe: As publish.sql. The database's clock sets the due time: no later than the expiry, but in
-- doubt no earlier than the end of the hold.
with retried as (
    update dovecote.notification_routes
    set status = 'retrying',
        lane = lane | 1,
        attempts = attempts
            - (%(retries)s::jsonb -> route_id::text ->> 'counted' is not distinct from 'false')::integer,
        next_attempt_at = case when %(retries)s::jsonb -> route_id::text ->> 'hold' is null
            then least(clock_timestamp() + make_interval(
                secs => (%(retries)s::jsonb -> route_id::text ->> 'delay')::float8), expires_at)
            else clock_timestamp() + make_interval(
                secs => (%(retries)s::jsonb -> route_id::text ->> 'delay')::float8) end,
        doubt_until = clock_timestamp() + make_interval(
            secs => (%(retries)s::jsonb -> route_id::text ->> 'hold')::float8),
        last_error = %(retries)s::jsonb -> route_id::text ->> 'error',
        waiting_since = null,
        waiting_for = null,
        refusals = case when refusals = 0
            or %(retries)s::jsonb -> route_id::text ->> 'refused' = 'true' then 0 end,
        refused_at = null,
        claim_token = null,
        leased_until = null
    where route_id = any (array(select jsonb_object_keys(%(retries)s::jsonb)::uuid))
      and claim_token = %(token)s
    returning route_id, next_attempt_at, claims, attempts, doubt_until, last_error
), noted as (
    insert into dovecote.notification_events (route_id, claim, event, attempt, detail)
    select route_id, claims, case when doubt_until is null then 'failed' else 'in_doubt' end,
           attempts, last_error
    from retried
)
select route_id, next_attempt_at from retried
