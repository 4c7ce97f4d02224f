-- Doubt, pauses and pacing.

-- Set while a route may have been accepted and nobody knows: after an ambiguous answer or a lease
-- that ran out, until when an event of the provider is waited for.
alter table dovecote.notification_routes add column doubt_until timestamptz;

alter table dovecote.notification_routes
    drop constraint notification_routes_life,
    add constraint notification_routes_life check (
        (next_attempt_at is not null) = (status in ('pending', 'retrying'))
        and (claim_token is null) = (leased_until is null)
        and (claim_token is null or status in ('pending', 'retrying'))
        and (doubt_until is null or status in ('pending', 'retrying', 'dead_lettered'))
        and (published_at is not null) = (status = 'published')
        and attempts >= 0
        and claims >= attempts
    );

-- What expires behind a paused channel, whose lanes nobody claims. A claim touches no column of it.
create index notification_routes_expiry
    on dovecote.notification_routes (expires_at)
    where status in ('pending', 'retrying');

alter table dovecote.notification_dead_letters
    add column closed_as text,
    drop constraint notification_dead_letters_reason,
    add constraint notification_dead_letters_reason check (
        reason in ('attempts', 'expired', 'permanent', 'ambiguous')
    ),
    add constraint notification_dead_letters_closed check (
        (closed_at is null) = (closed_as is null) and closed_as in ('settled', 'redriven')
    );

-- Messages that were accepted first and then not sent, for good: their routes may be sent again, and
-- an event of their acceptance that comes late changes nothing.
create table dovecote.email_rejections (
    message_id  text primary key,
    route_id    uuid not null,
    rejected_at timestamptz not null default clock_timestamp()
);

-- SNS said that the endpoint is disabled; a new registration brings the device back.
alter table dovecote.push_devices add column dead_at timestamptz;

-- How the channels and their identities and applications stand, for all workers.
create table dovecote.channel_state (
    resource      text primary key,
    channel       text not null,
    -- A pause, and how many there were in a row; after it one worker tries one route.
    paused_until  timestamptz,
    trying_until  timestamptz,
    in_a_row      integer not null default 0,
    pauses        bigint not null default 0,
    error         text,
    -- What failed in a row, before it counts as an outage.
    unreached     integer not null default 0,
    unanswered    uuid[] not null default '{}',
    -- Sends a second, when the provider was asked for it, and when the next send may begin.
    rate          double precision,
    rate_asked_at timestamptz,
    next_slot_at  timestamptz,
    -- A throttle answer slows the rate down; it doubles again each minute.
    slowed_to     double precision,
    slowed_at     timestamptz,
    constraint channel_state_channel check (channel in ('email', 'push')),
    constraint channel_state_resource check (resource = channel or starts_with(resource, channel || '/')),
    constraint channel_state_rate check (rate > 0 and slowed_to > 0)
) with (fillfactor = 50);

insert into dovecote.channel_state (resource, channel) values ('email', 'email'), ('push', 'push');
