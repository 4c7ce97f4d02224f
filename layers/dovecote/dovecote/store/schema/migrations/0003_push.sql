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
