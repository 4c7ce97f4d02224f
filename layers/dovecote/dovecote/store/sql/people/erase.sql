-- Erase the person of routes, and end what is still to be sent. A claimed route, or one in doubt,
-- may have been sent: it keeps its status and claim and expires now, so the next claim ends it
-- without a send. The entries of user and address are deleted first, while the rows still name
-- them: `erased` waits for `unlisted`.
-- Safe: lock_routes_of_user.sql or lock_routes_of_address.sql has locked the rows, so no worker
-- claims one meanwhile, and every earlier write is seen.
with unlisted as materialized (
    select dovecote.unlist(%(route_ids)s::uuid[])
), erased as (
    update dovecote.notification_routes
    set status = case when next_attempt_at is not null and claim_token is null and doubt_until is null
            then 'cancelled' else status end,
        next_attempt_at = case when claim_token is not null or doubt_until is not null
            then next_attempt_at end,
        expires_at = case when next_attempt_at is not null
            then least(expires_at, clock_timestamp()) else expires_at end,
        waiting_since = case when claim_token is not null or doubt_until is not null then waiting_since end,
        waiting_for = case when claim_token is not null or doubt_until is not null then waiting_for end,
        refusals = null,
        refused_at = null,
        user_id = null,
        device_session_id = null,
        resolved_email = null,
        locale = null,
        data = null,
        last_error = null
    where route_id = any (array(select unnest(%(route_ids)s::uuid[]) from unlisted))
    returning route_id, claims
), letters as (
    update dovecote.notification_dead_letters
    set error = null
    where route_id = any (array(select route_id from erased)) and error is not null
), events as (
    update dovecote.notification_events
    set detail = null
    where route_id = any (array(select route_id from erased)) and detail is not null
)
insert into dovecote.notification_events (route_id, claim, event)
select route_id, claims, 'erased' from erased
