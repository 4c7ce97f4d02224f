-- Make routes skipped whose device died, was deleted or went to another user: those that are live
-- and unclaimed. A worker that holds a route finds no device, or the provider reports it as dead. A
-- route in doubt or under a lapsed lease stays, as in cancel.sql. A route that is stored at the
-- same moment is skipped when it is due.
-- Safe: Follows mark_device_dead.sql, release_endpoint.sql or delete_device.sql in its transaction,
-- at the end of a finaliser's. It waits for no lock, so it takes part in no deadlock: a locked
-- route is being claimed, ended or cancelled. The plan is the key of the user's entries, then each
-- route by primary key.
with idle as (
    select r.route_id
    from dovecote.user_routes e
    cross join lateral (
        select route_id
        from dovecote.notification_routes
        where route_id = e.route_id
          and user_id = e.user_id
          and device_session_id = %(device_session_id)s
          and target = 'device'
          and next_attempt_at is not null
          and claim_token is null
          and doubt_until is null
        limit 1
        for update skip locked
    ) r
    where e.user_id = %(user_id)s
), skipped as (
    update dovecote.notification_routes
    set status = 'skipped',
        next_attempt_at = null,
        waiting_since = null,
        waiting_for = null,
        refusals = null,
        refused_at = null,
        last_error = 'device is dead or no longer registered'
    where route_id = any (array(select route_id from idle))
    returning route_id, claims, last_error
)
insert into dovecote.notification_events (route_id, claim, event, reason)
select route_id, claims, 'skipped', last_error from skipped
