-- What operators and people's requests change of stored notifications.
--
-- These functions have the owner's rights. The user of functions/api may call them and may update no route or
-- payload itself: with that right it could send a password reset to another address. ADR 45.

-- Cancel the routes of a notification that are still to be sent and have no claim; return them. A route that may
-- have been sent stays: in doubt, or under a lapsed lease. Each row is locked and read again before it changes,
-- so a claim that comes first keeps its route.
create function dovecote.cancel(of_notification uuid) returns setof uuid
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp
begin atomic
    -- Wait for the expansion of a scheduled route that has begun, so that the next statement sees all that it adds.
    select
    from dovecote.notification_routes
    where notification_id = of_notification and target = 'user' and next_attempt_at is not null
    for update;

    with cancelled as (
        update dovecote.notification_routes
        set status = 'cancelled',
            next_attempt_at = null,
            waiting_since = null,
            waiting_for = null,
            refusals = null,
            refused_at = null
        where notification_id = of_notification
          -- Only live routes have it. By their statuses the planner may read the whole due index.
          and next_attempt_at is not null
          and claim_token is null
          and doubt_until is null
        returning route_id, claims
    )
    insert into dovecote.notification_events (route_id, claim, event)
    select route_id, claims, 'cancelled' from cancelled
    returning route_id;
end;

-- Lock the payloads of routes for this transaction, so that they are not removed meanwhile; return the routes that
-- have one. Each function that makes a route of an ended notification pending calls it first. Payloads are locked in
-- the order of their notifications, here and in remove_payloads and erase, so two transactions cannot deadlock.
create function dovecote.hold_payloads(of_routes uuid[]) returns setof uuid
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    select route.route_id
    from (
        select r.route_id, r.notification_id
        from unnest(of_routes) as one (id)
        cross join lateral (
            select route_id, notification_id from dovecote.notification_routes where route_id = one.id limit 1
        ) r
        order by r.notification_id
        offset 0
    ) route
    cross join lateral (
        select from dovecote.notification_payloads p
        where p.notification_id = route.notification_id
        limit 1
        for key share
    ) held;
end;

-- Remove the payloads of notifications without a live route, and the recipients' data of their routes; return how
-- many. The payloads are locked first, then the routes are read by a statement of its own. So of two workers that end
-- the last two routes the later one removes the payload, and no route becomes pending in between. It waits for no lock
-- of a route, because a redrive locks a route before its payload: where a route with data is locked, the payload stays
-- for the next purge.
create function dovecote.remove_payloads(of_notifications uuid[]) returns bigint
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    select notification_id
    from dovecote.notification_payloads
    where notification_id = any (of_notifications)
    order by notification_id
    for update;

    -- OFFSET 0 makes the planner read the routes of each notification along their index.
    with ended as materialized (
        select p.notification_id
        from dovecote.notification_payloads p
        where p.notification_id = any (of_notifications)
          and not exists (
              select from dovecote.notification_routes r
              where r.notification_id = p.notification_id and r.next_attempt_at is not null
              offset 0
          )
    ), with_data as materialized (
        select r.route_id, e.notification_id
        from ended e
        cross join lateral (
            select route_id from dovecote.notification_routes
            where notification_id = e.notification_id and data is not null
            offset 0
        ) r
    ), locked as materialized (
        select route_id
        from dovecote.notification_routes
        where route_id = any (array(select route_id from with_data))
        for update skip locked
    ), removable as materialized (
        select notification_id
        from ended
        where notification_id not in (
            select notification_id from with_data where route_id not in (select route_id from locked)
        )
    ), cleared as (
        update dovecote.notification_routes
        set data = null
        where route_id = any (array(select route_id from with_data join removable using (notification_id)))
    ), removed as (
        delete from dovecote.notification_payloads
        where notification_id = any (array(select notification_id from removable))
        returning 1
    )
    select count(*) from removed;
end;

-- Remove the secret payloads of routes that have just ended. Dispatch and submit may call it: it removes nothing that
-- is kept for days.
create function dovecote.remove_secrets(of_routes uuid[]) returns bigint
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    select dovecote.remove_payloads(array(
        select r.notification_id
        from dovecote.notification_routes r
        join dovecote.notification_payloads p on p.notification_id = r.notification_id and p.payload_days = 0
        where r.route_id = any (of_routes)
    ));
end;

-- Make dead letters that still have a payload pending, each with a new set of attempts, and close them; return their
-- notifications. The caller has locked the routes. The first one is due after `wait` seconds, each further one
-- `spacing` later.
create function dovecote.redrive(
    of_routes uuid[], wait double precision, spacing double precision, new_expiry timestamptz, by_redrive uuid
) returns setof uuid
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    with redriven as (
        update dovecote.notification_routes
        set status = 'pending',
            lane = lane & ~1,
            attempts = 0,
            next_attempt_at = clock_timestamp()
                + make_interval(secs => wait + spacing * (array_position(of_routes, route_id) - 1)),
            expires_at = coalesce(new_expiry, expires_at),
            doubt_until = null
        where route_id = any (of_routes) and status = 'dead_lettered'
          and route_id in (select dovecote.hold_payloads(of_routes))
        returning route_id, claims
    ), noted as (
        insert into dovecote.notification_events (route_id, claim, event)
        select route_id, claims, 'redriven' from redriven
    )
    update dovecote.notification_dead_letters
    set closed_at = clock_timestamp(), closed_as = 'redriven', redrive_id = by_redrive
    where route_id = any (array(select route_id from redriven)) and closed_at is null
    returning notification_id;
end;

-- Make routes pending that were skipped because their address was suppressed, if they have not expired and still have
-- a payload: those among the next `most` routes to the address after a place. They are due now, or at the delivery
-- time of their notification. Return the places, with whether each route was released. Each route is locked and read
-- again before it changes, and before its payload is locked, as in a redrive.
create function dovecote.release(
    of_address bytea, after_notification uuid, after_route uuid, most integer
) returns table (notification_id uuid, route_id uuid, released boolean)
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    with entries as materialized (
        select e.notification_id, e.route_id
        from dovecote.address_routes e
        where e.address_hash = of_address
          and (e.notification_id, e.route_id) > (after_notification, after_route)
        order by e.notification_id, e.route_id
        limit most
    ), skipped as materialized (
        select r.route_id
        from entries e
        cross join lateral (
            select route_id
            from dovecote.notification_routes
            where route_id = e.route_id
              and address_hash = of_address
              and status = 'skipped'
              and starts_with(last_error, 'address is suppressed: ')
              and expires_at > clock_timestamp()
            limit 1
            for update
        ) r
    ), pending as (
        update dovecote.notification_routes r
        set status = 'pending',
            lane = r.lane & ~1,
            next_attempt_at = greatest(clock_timestamp(), n.deliver_at)
        from dovecote.notifications n
        where r.route_id = any (array(select dovecote.hold_payloads(array(select skipped.route_id from skipped))))
          and n.notification_id = r.notification_id
        returning r.route_id, r.claims
    ), events as (
        insert into dovecote.notification_events (route_id, claim, event)
        select pending.route_id, pending.claims, 'released' from pending
    )
    select e.notification_id, e.route_id, p.route_id is not null
    from entries e
    left join pending p on p.route_id = e.route_id
    order by e.notification_id, e.route_id;
end;

-- Erase the person of routes that the caller has locked, cancel unsent ones, and remove the payloads of
-- notifications that name no other person. A claimed route, or one in doubt, may have been sent: it keeps its
-- status and claim and expires now, so the next claim ends it without a send.
create function dovecote.erase(of_routes uuid[]) returns void
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    -- While the rows still name them.
    select dovecote.unlist(of_routes);

    with erased as (
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
            address = null,
            address_hash = null,
            locale = null,
            data = null,
            last_error = null
        where route_id = any (of_routes)
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
    select route_id, claims, 'erased' from erased;

    -- If two erasures each take a person of one notification, the second waits here, and then sees what the
    -- first has erased.
    select notification_id
    from dovecote.notification_payloads
    where notification_id = any (array(
        select notification_id from dovecote.notification_routes where route_id = any (of_routes)
    ))
    order by notification_id
    for update;

    -- OFFSET 0 makes the planner read the routes of each notification along their index, up to the first that
    -- names a person.
    delete from dovecote.notification_payloads p
    where p.notification_id = any (array(
            select notification_id from dovecote.notification_routes where route_id = any (of_routes)
        ))
      and not exists (
          select from dovecote.notification_routes r
          where r.notification_id = p.notification_id
            and (r.user_id is not null or r.address is not null)
          offset 0
      );
end;

-- Only the users to whom provision grants them may call these functions.
revoke all on all functions in schema dovecote from public;
