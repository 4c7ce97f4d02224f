-- Push: devices and their endpoints at SNS.

create table dovecote.push_devices (
    user_id           text not null,
    device_session_id text not null,
    platform          text not null,
    token             text not null,
    endpoint          text not null,
    created_at        timestamptz not null default clock_timestamp(),
    updated_at        timestamptz not null default clock_timestamp(),
    -- When SNS reported the endpoint as disabled. A new registration clears it.
    dead_at           timestamptz,
    primary key (user_id, device_session_id),
    constraint push_devices_platform check (platform in ('apns', 'apns_sandbox', 'fcm')),
    -- SNS gives the same endpoint for the same token, so a token belongs to one device. A hash index takes
    -- endpoints of any length.
    constraint push_devices_endpoint exclude using hash (endpoint with =)
);

-- Finds devices that died long ago. Others have no entry.
create index push_devices_dead on dovecote.push_devices (dead_at) where dead_at is not null;

-- Endpoints that a device used before. They are deleted at SNS unless another device uses them now. ADR 27.
create table dovecote.retired_endpoints (
    retired_endpoint_id bigint generated always as identity primary key,
    user_id             text not null,
    device_session_id   text not null,
    endpoint            text not null,
    retired_at          timestamptz not null default clock_timestamp()
);

-- Finds the retired endpoints of a device.
create index retired_endpoints_device on dovecote.retired_endpoints (user_id, device_session_id);

-- Make routes skipped whose device died, was deleted or went to another user: those that are live and unclaimed. A
-- worker that holds a route finds no device, or the provider reports it as dead. A route in doubt or under a lapsed
-- lease stays. A route that is stored at the same moment is skipped when it is due.
--
-- It waits for no lock, so it takes part in no deadlock: a locked route is being claimed, ended or cancelled. It has
-- the owner's rights, because the user of functions/api may update no route.
create function dovecote.skip_device(of_user text, of_session text) returns void
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp
begin atomic
    with idle as (
        select route_id
        from dovecote.notification_routes
        where device_session_id = of_session
          and user_id = of_user
          and target = 'device'
          and next_attempt_at is not null
          and claim_token is null
          and doubt_until is null
        for update skip locked
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
    select route_id, claims, 'skipped', last_error from skipped;
end;

-- Delete up to `most` devices that have been dead for so many days; return a row for each. It has the owner's rights,
-- because functions/purge may not know whose device it is. It waits for no lock: a locked device is being registered
-- again or deleted. The endpoint stays at SNS, which disabled it, and its token gets it back.
create function dovecote.delete_dead_devices(days integer, most integer) returns setof boolean
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
begin atomic
    delete from dovecote.push_devices
    where ctid = any (array(
        select ctid
        from dovecote.push_devices
        where dead_at < clock_timestamp() - make_interval(days => days)
        order by dead_at
        limit most
        for update skip locked
    ))
    returning true;
end;
