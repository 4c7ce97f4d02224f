-- Erase the person of routes, and end what is still to be sent. What somebody holds, or what is in doubt,
-- may have been sent: it keeps its status and its claim, and expires now, so that whoever claims it next
-- ends it without a send.
-- Safe: the rows are locked before, by routes_of_user.sql or routes_of_address.sql, so that none is
-- claimed meanwhile, and all that was written of them before is seen. Their entries go first, of user and of
-- address, while the rows still say whose they are: what is erased waits for `unlisted`.
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
