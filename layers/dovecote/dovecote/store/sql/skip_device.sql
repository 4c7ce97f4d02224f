-- Routes to skipped whose device has just died, was deleted or went to another user: what is live and in
-- nobody's hands. Whoever holds one finds no device, or hears of the provider that it is dead.
-- Safe: follows bury_device, release_endpoint or delete_device in its transaction, at the end of a
-- finaliser's. It waits for nobody, so it takes part in no deadlock: a route that is locked is being
-- claimed, ended or cancelled. What may have been sent is left alone, in doubt or under a lease that
-- ran out, as in cancel.sql. The plan is the key of the user's entries, and each route by primary key. One
-- that is stored at the same moment, and not seen, is skipped when it is due.
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
