-- The first schema. Forward only: a later release adds files, never edits this one.

create table dovecote.notifications (
    notification_id uuid primary key,
    kind            text not null,
    idempotency_key text not null,
    fingerprint     text not null,
    -- Text, not jsonb: jsonb would change numbers and drop duplicates.
    payload         text not null,
    traceparent     text,
    deliver_at      timestamptz,
    created_at      timestamptz not null default clock_timestamp(),
    constraint notifications_key unique (kind, idempotency_key)
);

create table dovecote.notification_routes (
    route_id            uuid primary key,
    notification_id     uuid not null references dovecote.notifications,
    position            integer not null,
    channel             text not null,
    target              text not null,
    user_id             text,
    device_session_id   text,
    resolved_email      text,
    locale              text,
    data                text,
    priority            smallint not null,
    status              text not null,
    attempts            integer not null default 0,
    max_attempts        integer not null,
    claims              integer not null default 0,
    claim_token         uuid,
    leased_until        timestamptz,
    next_attempt_at     timestamptz,
    last_attempt_at     timestamptz,
    expires_at          timestamptz not null,
    published_at        timestamptz,
    created_at          timestamptz not null default clock_timestamp(),
    provider_message_id text,
    last_error          text,
    -- Channel, priority and fresh or retry in one number, so that a claim names what it wants by
    -- equality and a paused channel or a low priority is never scanned. dovecote/lanes.py.
    lane                smallint not null generated always as (
        (case channel when 'email' then 0 else 6 end)
        + priority * 2
        + (case status when 'retrying' then 1 else 0 end)
    ) stored,
    constraint notification_routes_channel check (channel in ('email', 'push')),
    constraint notification_routes_target check (
        channel = 'email' and target = 'address' or channel = 'push' and target in ('device', 'topic')
    ),
    constraint notification_routes_priority check (priority between 0 and 2),
    constraint notification_routes_status check (
        status in ('pending', 'retrying', 'published', 'dead_lettered', 'skipped', 'cancelled')
    ),
    -- The table of the route's life, as far as one row can tell. dovecote/transitions.py.
    constraint notification_routes_life check (
        (next_attempt_at is not null) = (status in ('pending', 'retrying'))
        and (claim_token is null) = (leased_until is null)
        and (claim_token is null or status in ('pending', 'retrying'))
        and (published_at is not null) = (status = 'published')
        and attempts >= 0
        and claims >= attempts
    )
) with (
    -- More than half of each page is kept free, so that a claim, which makes its row wider and
    -- touches no indexed column, finds room on the row's own page and stays heap-only.
    fillfactor = 45,
    -- Every delivery leaves two dead versions: vacuum by rows done, not by a share of the table.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

-- The one index of the queue. Leases are not part of it: a claim must not move an index entry.
create index notification_routes_due
    on dovecote.notification_routes (lane, next_attempt_at)
    where status in ('pending', 'retrying');

create index notification_routes_notification
    on dovecote.notification_routes (notification_id);

create table dovecote.notification_dead_letters (
    dead_letter_id   bigint primary key generated always as identity,
    route_id         uuid not null references dovecote.notification_routes,
    notification_id  uuid not null,
    reason           text not null,
    error            text,
    attempts         integer not null,
    dead_lettered_at timestamptz not null default clock_timestamp(),
    closed_at        timestamptz,
    constraint notification_dead_letters_reason check (
        reason in ('attempts', 'expired', 'permanent')
    )
);

create unique index notification_dead_letters_open
    on dovecote.notification_dead_letters (route_id)
    where closed_at is null;

-- What the email provider accepted, by whoever learnt of it first. The key is the route's id.
create table dovecote.email_deliveries (
    template_id     text not null,
    idempotency_key text not null,
    message_id      text not null,
    accepted_at     timestamptz not null default clock_timestamp(),
    constraint email_deliveries_key unique (template_id, idempotency_key)
);

create table dovecote.push_devices (
    user_id           text not null,
    device_session_id text not null,
    platform          text not null,
    token             text not null,
    endpoint          text not null,
    created_at        timestamptz not null default clock_timestamp(),
    updated_at        timestamptz not null default clock_timestamp(),
    primary key (user_id, device_session_id),
    constraint push_devices_platform check (platform in ('apns', 'apns_sandbox', 'fcm'))
);

-- SNS gives the same endpoint for the same token: a token that changes hands goes with it.
create unique index push_devices_endpoint on dovecote.push_devices (endpoint);
