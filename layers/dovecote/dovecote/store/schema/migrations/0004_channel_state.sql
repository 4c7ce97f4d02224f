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

-- Return the state of a channel and its resources, and for each narrow resource how soon a route that waits for it
-- is due. A plain read of a handful of rows, and of the index of waiting routes for each narrow resource, up to a
-- hundred. In a function its plan is made once per session, also behind a pooler: planning it takes 0.4 ms. ADR 52.
create function dovecote.state_of_channel(of_channel text) returns table (
    resource text, at double precision, paused boolean, recovering boolean, paused_for double precision,
    unreached integer, unanswered uuid[], rate double precision, rate_is_old boolean,
    throttled_requests double precision, throttled_entries double precision, slowed_at timestamptz,
    limited boolean, probing boolean, refused uuid[], proven boolean, awaited_for double precision
)
    language plpgsql security definer rows 3
    set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
begin
    return query
    with moment as materialized (
        select clock_timestamp() as at
    )
    select s.resource, date_part('epoch', at),
           coalesce(paused_until > at or trying_until > at, false),
           coalesce(paused_until <= at and coalesce(trying_until <= at, true), false),
           greatest(0, extract(epoch from greatest(paused_until, trying_until) - at))::double precision,
           s.unreached, s.unanswered, s.rate,
           coalesce(rate_asked_at + interval '10 minutes' <= at, true),
           s.throttled_requests, s.throttled_entries, s.slowed_at,
           -- Long after congestion the pace has outgrown the rate by far, and limits no longer.
           coalesce(
               dovecote.pace_after(slowed_to, extract(epoch from at - s.slowed_at)::double precision)
               < coalesce(4 * s.rate, 16 * slowed_to), false),
           coalesce(s.slowed_at + make_interval(secs => dovecote.steady_seconds(slowed_to)) <= at, false),
           s.refused, proven_at is not null,
           case when s.resource <> s.channel then (
               -- In this order, so that the planner takes the index.
               select extract(
                   epoch from greatest(min(w.next_attempt_at), paused_until, trying_until) - at
               )::double precision
               from (
                   select r.next_attempt_at
                   from dovecote.notification_routes r
                   where r.waiting_for = s.resource
                     and r.waiting_since is not null and r.next_attempt_at is not null
                   order by r.waiting_since
                   limit 100
               ) w
               where w.next_attempt_at > at or greatest(paused_until, trying_until) > at
               having count(*) > 0
           ) end
    from dovecote.channel_state s, moment
    where s.channel = of_channel;
end $$;

-- Reserve the next sends of a channel that has a rate or is slowed down: as many as the caller wants and begin
-- within the horizon, in seconds. Return no row for a channel without a rate that is no longer slowed down, as in
-- channel_state.sql. Only that row is locked, and it is read before the computation, so that all workers share one
-- line of slots. One reading of the clock, so that a free line causes no wait.
--
-- A function's plans are made once per session, also behind a pooler. A commit that another reservation waits for
-- does not wait for the disk: a crash may lose the last reservations, and nothing else. ADR 52.
create function dovecote.reserve_slots(
    of_channel text, wanted integer, horizon double precision,
    out room integer, out wait double precision, out spacing double precision, out slots timestamptz
) returns setof record
    language plpgsql security definer rows 1 set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    line dovecote.channel_state;
    at timestamptz;
    pace double precision;
begin
    if wanted <= 0 then
        return;
    end if;
    select * into line
    from dovecote.channel_state
    where resource = of_channel and (rate is not null or slowed_to is not null)
    for update;
    if not found then
        return;
    end if;
    perform set_config('synchronous_commit', 'off', true);
    at := clock_timestamp();
    pace := dovecote.pace_after(line.slowed_to, extract(epoch from at - line.slowed_at)::double precision);
    pace := case when pace < coalesce(4 * line.rate, 16 * line.slowed_to) then least(line.rate, pace)
        else line.rate end;
    if pace is null then
        return;
    end if;
    slots := greatest(line.next_slot_at, at);
    wait := extract(epoch from slots - at);
    room := greatest(0, least(wanted, ceil((horizon - wait) * pace)));
    spacing := 1 / pace;
    slots := slots + make_interval(secs => room / pace);
    update dovecote.channel_state set next_slot_at = slots where resource = of_channel;
    return next;
end $$;


-- A lease on waking dispatch for routes that submit left: one call at a time, and at most one a second. ADR 13.
create table dovecote.handover (
    one         boolean primary key default true check (one),
    -- A second for a call; longer while the run that was called works.
    taken_until timestamptz not null default '-infinity'
) with (fillfactor = 50);

insert into dovecote.handover default values;
