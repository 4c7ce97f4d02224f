-- Whose a route is, in tables of its own: as indexes of notification_routes, in which each publish writes an
-- entry anew, it was 12 % of PostgreSQL's work for a delivery, and never changes. ADR 25.

-- An entry for each route of a user, and for each to an address in small letters. It is written once, with
-- its route, and deleted with it or when its person is erased, by who has locked the route; that is why no
-- foreign key looks the route up again. It says where to look: whose a route is, the route says. Ids of
-- notifications are in the order of time, so that these are pages too.
create table dovecote.user_routes (
    user_id         text,
    notification_id uuid,
    route_id        uuid,
    primary key (user_id, notification_id, route_id)
);

create table dovecote.address_routes (
    address         text collate "C",
    notification_id uuid,
    route_id        uuid,
    primary key (address, notification_id, route_id)
);

-- Who stores routes writes their entries, from now on and not from when provision has made all grants anew.
do $$
declare
    who regrole;
begin
    for who in
        select distinct grantee from pg_class, aclexplode(relacl)
        where oid = 'dovecote.notification_routes'::regclass
          and privilege_type = 'INSERT' and grantee not in (0, relowner)
    loop
        execute format('grant insert on dovecote.user_routes, dovecote.address_routes to %s', who);
    end loop;
end $$;

-- Delete the entries of routes, which the caller has locked, while they still say whose they are. With the
-- rights of the owner, since who purges is not to read users and addresses. An entry is taken by its place,
-- which never changes; each is looked up by its key, whatever is known of the tables.
create function dovecote.unlist(of_routes uuid[]) returns void
    language sql security definer
    set search_path = pg_catalog, pg_temp set enable_seqscan = off
begin atomic
    delete from dovecote.user_routes
    where ctid = any (array(
        select entry.ctid
        from unnest(of_routes) as one (id)
        cross join lateral (
            select user_id, notification_id
            from dovecote.notification_routes
            where route_id = one.id
            limit 1
        ) r
        cross join lateral (
            select e.ctid
            from dovecote.user_routes e
            where e.user_id = r.user_id and e.notification_id = r.notification_id and e.route_id = one.id
            limit 1
        ) entry
    ));
    delete from dovecote.address_routes
    where ctid = any (array(
        select entry.ctid
        from unnest(of_routes) as one (id)
        cross join lateral (
            select lower(resolved_email collate "C") as address, notification_id
            from dovecote.notification_routes
            where route_id = one.id
            limit 1
        ) r
        cross join lateral (
            select e.ctid
            from dovecote.address_routes e
            where e.address = r.address and e.notification_id = r.notification_id and e.route_id = one.id
            limit 1
        ) entry
    ));
end;
revoke all on function dovecote.unlist from public;

-- How both submits store: the function of migration 10, which writes the entries with the routes.
create or replace function dovecote.store_notification(
    new_id uuid, new_kind text, new_key text, new_fingerprint text, new_payload text,
    new_traceparent text, new_deliver_at timestamptz, new_priority smallint, new_max_attempts integer,
    new_expires_in double precision, new_token uuid, new_lease double precision, new_routes json,
    unless_devices_of text[], new_unchecked boolean default false,
    out stored_at timestamptz, out due_at timestamptz, out devices text, out suppressed text
) language plpgsql as $$
declare
    one_user text;
begin
    -- One by one: for an array of any length PostgreSQL would plan anew each time, which takes 50 us.
    foreach one_user in array unless_devices_of loop
        if exists (
            select from dovecote.push_devices where user_id = one_user and dead_at is null
        ) then
            select json_agg(device) into devices
            from (
                select user_id, device_session_id, platform, token, endpoint
                from dovecote.push_devices
                where user_id = any (unless_devices_of) and dead_at is null
                order by user_id, created_at, device_session_id
            ) device;
            exit;
        end if;
    end loop;
    if devices is not null then
        return;
    end if;

    insert into dovecote.notifications
        (notification_id, kind, idempotency_key, fingerprint, payload, traceparent, deliver_at, unchecked)
    values (new_id, new_kind, new_key, new_fingerprint, new_payload, new_traceparent, new_deliver_at,
            new_unchecked)
    on conflict (kind, idempotency_key) do nothing
    returning created_at, greatest(deliver_at, created_at) into stored_at, due_at;
    if not found then
        return;
    end if;

    with stored as (
        insert into dovecote.notification_routes
            (route_id, notification_id, position, channel, target, user_id, device_session_id,
             resolved_email, locale, data, priority, lane, status, max_attempts, attempts, claims,
             claim_token, leased_until, last_attempt_at, next_attempt_at, expires_at, created_at, last_error)
        select route_id, new_id, position, channel, target, user_id, device_session_id,
               resolved_email, locale, data,
               new_priority, (case channel when 'email' then 0 else 6 end) + new_priority * 2,
               case when skipped is null then 'pending' else 'skipped' end,
               new_max_attempts, tried, tried,
               case when tried = 1 then new_token end,
               case when tried = 1 then stored_at + make_interval(secs => new_lease) end,
               case when tried = 1 then stored_at end,
               case when skipped is null then due_at end,
               due_at + make_interval(secs => new_expires_in),
               stored_at, skipped
        from json_to_recordset(new_routes) as route (
            route_id uuid, position integer, channel text, target text, user_id text,
            device_session_id text, resolved_email text, locale text, data text, skip text, claimed boolean
        )
        left join lateral (
            select reason from dovecote.suppressions
            where address_hash = dovecote.address_hash(resolved_email)
            limit 1
        ) suppression on skip is null
        cross join lateral (
            select coalesce(skip, 'address is suppressed: ' || reason) as skipped
        ) as why
        -- Only what is due is tried at once, by the database's clock.
        cross join lateral (
            select (claimed and due_at <= stored_at and skipped is null)::integer as tried
        ) as once
        returning route_id, user_id, resolved_email, position, last_error
    ), of_users as (
        insert into dovecote.user_routes (user_id, notification_id, route_id)
        select user_id, new_id, route_id from stored where user_id is not null
    ), of_addresses as (
        insert into dovecote.address_routes (address, notification_id, route_id)
        select lower(resolved_email collate "C"), new_id, route_id
        from stored where resolved_email is not null
    )
    select json_object_agg(position, last_error) into suppressed
    from stored where starts_with(last_error, 'address is suppressed: ');
end $$;
