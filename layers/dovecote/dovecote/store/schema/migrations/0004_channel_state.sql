-- State that all workers share: pauses, failures and send rates of each channel, and the wake-up of dispatch.

-- One row for each channel, and for each of its identities, applications and topics. Provision adds the row of
-- each registered channel.
create table dovecote.channel_state (
    resource           text primary key,
    channel            text not null references dovecote.channels,

    -- A pause. After it one worker sends a probe.
    paused_until       timestamptz,
    trying_until       timestamptz,
    in_a_row           integer not null default 0,
    pauses             bigint not null default 0,
    error              text,

    -- Failures in a row that do not count as an outage yet.
    unreached          integer not null default 0,
    unanswered         uuid[] not null default '{}',
    -- Of an identity, application or topic: the routes that were refused in a row since an acceptance, and
    -- when the provider last accepted a route through it after a refusal. ADR 30.
    refused            uuid[] not null default '{}',
    proven_at          timestamptz,

    -- Sends per second, when the provider was last asked for the rate, and when the next send may begin.
    rate               double precision,
    rate_asked_at      timestamptz,
    next_slot_at       timestamptz,
    -- Net refusals of requests, and of entries of bulk requests: dispatch/sending/congestion.py, ADR 32.
    throttled_requests double precision not null default 0,
    throttled_entries  double precision not null default 0,
    -- Sends per second that the provider accepted when it last refused a share of them, and when that was.
    -- NULL: it never did. The pace since then follows from both: pace_after.
    slowed_to          double precision,
    slowed_at          timestamptz,

    constraint channel_state_resource check (resource = channel or starts_with(resource, channel || '/')),
    constraint channel_state_rate check (rate > 0 and slowed_to > 0)
) with (fillfactor = 50);

-- How many seconds the pace stays below the rate that last worked: the time of 100 sends. A probe of the
-- limit costs one to three refusals, so it comes at most once in 100 sends.
create function dovecote.steady_seconds(slowed_to double precision) returns double precision
    language sql immutable
    return least(12, greatest(3, 100 / slowed_to));

-- Sends per second, so many seconds after congestion. The pace starts at 95 % of the rate that worked and
-- rises to all of it while steady. Then it grows by a fifth each second for three seconds. Then it doubles
-- every 1.5 seconds.
create function dovecote.pace_after(slowed_to double precision, seconds double precision)
    returns double precision
    language sql immutable
    return (
        select slowed_to * case
            when beyond < 0 then 0.95 + 0.05 * seconds / steady
            when beyond < 3 then 1 + 0.2 * beyond
            else 1.6 * power(2, least(30, (beyond - 3) / 1.5))
        end
        from (
            select steady, seconds - steady as beyond
            from (select dovecote.steady_seconds(slowed_to) as steady) s
        ) b
    );


-- A lease on waking dispatch for routes that submit left: one call at a time, and at most one a second. ADR 13.
create table dovecote.handover (
    one         boolean primary key default true check (one),
    -- A second for a call; longer while the run that was called works.
    taken_until timestamptz not null default '-infinity'
) with (fillfactor = 50);

insert into dovecote.handover default values;
