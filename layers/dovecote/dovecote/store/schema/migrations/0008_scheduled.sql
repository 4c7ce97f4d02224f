-- Expand scheduled routes to users that the caller has locked; return the channels of the routes that are due now.
-- `expanded` has the routes that take the place of each: the first of them has its id and changes its row, the
-- others are added with what its row says. A route with a `skip` becomes skipped. Routes of people who were erased
-- are erased. ADR 51.
--
-- It has the owner's rights, so that the user of functions/submit cannot change to whom a stored route is sent.
create function dovecote.expand(expanded json) returns setof text
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    -- As store_notification: an erasure finds what this transaction stores, or the next statement sees the erasure.
    select pg_advisory_xact_lock_shared(7061993142);

    select dovecote.erase(array(
        select planned.scheduled
        from json_to_recordset(expanded) as planned (scheduled uuid, person_hash bytea)
        join dovecote.suppressions s on s.person_hash = planned.person_hash and s.reason = 'erased'
    ));

    with planned as materialized (
        select scheduled, route_id, target, device_session_id, skip
        from json_to_recordset(expanded) as planned (
            scheduled uuid, route_id uuid, target text, device_session_id text, skip text
        )
    ), first as (
        update dovecote.notification_routes r
        set target = p.target,
            device_session_id = p.device_session_id,
            lane = -2 - r.lane,
            status = case when p.skip is null then 'pending' else 'skipped' end,
            next_attempt_at = case when p.skip is null then clock_timestamp() end,
            last_error = p.skip
        from planned p
        where r.route_id = any (array(select scheduled from planned))
          and r.route_id = p.route_id
          and r.target = 'user'
          and r.next_attempt_at is not null
        returning r.*
    ), further as (
        insert into dovecote.notification_routes
            (route_id, notification_id, position, channel, target, user_id, device_session_id, locale, data,
             priority, lane, status, max_attempts, next_attempt_at, expires_at, created_at)
        select p.route_id, first.notification_id, first.position, first.channel, p.target, first.user_id,
               p.device_session_id, first.locale, first.data, first.priority, first.lane, 'pending',
               first.max_attempts, first.next_attempt_at, first.expires_at, first.created_at
        from planned p
        join first on first.route_id = p.scheduled
        where p.route_id <> p.scheduled
        returning route_id, notification_id, user_id
    ), of_users as (
        insert into dovecote.user_routes (user_id, notification_id, route_id)
        select user_id, notification_id, route_id from further
    ), events as (
        insert into dovecote.notification_events (route_id, claim, event, reason)
        select route_id, 0, case status when 'skipped' then 'skipped' else 'expanded' end, last_error from first
        union all
        select route_id, 0, 'expanded', null from further
    )
    select distinct channel from first where status = 'pending';
end;

-- Only the users to whom provision grants it may call this function.
revoke all on all functions in schema dovecote from public;
