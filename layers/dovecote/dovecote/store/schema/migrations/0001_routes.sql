-- Notifications, their routes, and the records of what happened to each route.
--
-- Migrations are forward only: to change the schema, add a file with the next number.

-- The registered channels, each with the number that the lanes of its routes contain. Provision fills it from
-- the registry. A channel that is no longer registered keeps its row, so that no other channel gets its number.
create table dovecote.channels (
    name   text primary key,
    number smallint not null unique,
    -- The lanes of a channel are 48 * number to 48 * number + 47, which a smallint must hold.
    constraint channels_number check (number between 0 and 681)
);

-- A notification without routes reserves the id and key of a pending submission in SQL: 0005_submit.sql.
create table dovecote.notifications (
    notification_id uuid primary key,
    kind            text not null,
    idempotency_key text not null,
    fingerprint     bytea not null,
    traceparent     text,
    deliver_at      timestamptz,
    created_at      timestamptz not null default clock_timestamp(),
    constraint notifications_key unique (kind, idempotency_key)
);

-- The payloads, which are removed long before their notifications. A delete writes less WAL than an update, and
-- leaves whole pages free. ADR 48. A payload is stored with its notification, so no foreign key is needed.
create table dovecote.notification_payloads (
    notification_id uuid primary key,
    -- For how many days after the end of all routes it is kept: 0 for a secret one, which is removed at once, -1 for
    -- the days of the setting PAYLOAD_RETENTION_DAYS.
    payload_days    smallint not null check (payload_days >= -1),
    -- Text, because jsonb would change numbers and drop duplicate members.
    payload         text not null
);

-- Finds the oldest payloads that are kept for a number of days of their own. The others are in the primary key.
create index notification_payloads_days
    on dovecote.notification_payloads (payload_days, notification_id)
    where payload_days >= 0;

create table dovecote.notification_routes (
    -- Ids grow with time. Publishing a route adds a second entry next to the first one in this index and
    -- in the index by notification; their pages keep room for it. docs/performance.md.
    route_id            uuid primary key with (fillfactor = 45),
    notification_id     uuid not null references dovecote.notifications,
    position            integer not null,

    channel             text not null,
    target              text not null,
    user_id             text,
    device_session_id   text,
    address             text,
    -- What the address is found and suppressed by: an HMAC that store/person_hash.py computes.
    address_hash        bytea,
    locale              text,
    data                text,

    priority            smallint not null,
    -- The channel's number * 48 + priority * 16 + the bucket of the kind * 2 + 1 for a retry. A claim selects
    -- lanes by equality, so it never scans a paused channel, a low priority or another kind's backlog.
    -- channels/lanes.py. The statements that make a route pending or retrying set it: a generated column would
    -- make PostgreSQL copy the row at each update. A route that has ended keeps the lane of its last claim. Until
    -- it is expanded, a scheduled route to a user has the lane -2 - lane, which no claim reads.
    lane                smallint not null,
    status              text not null,
    max_attempts        integer not null,
    attempts            integer not null default 0,
    claims              integer not null default 0,
    claim_token         uuid,
    leased_until        timestamptz,
    next_attempt_at     timestamptz,
    last_attempt_at     timestamptz,
    -- Set while the provider may have accepted the route: after an ambiguous answer or an expired lease.
    -- Until then the route waits for an event of the provider.
    doubt_until         timestamptz,

    -- Set while the route waits behind the pause of an identity, application or topic: for which one, and
    -- since when the route was due. ADR 30.
    waiting_since       timestamptz,
    waiting_for         text,
    -- How often a provider refused the route where the cause may be the resource, and the first time.
    -- 0 once the acceptance of another route has shown that the cause is this route.
    refusals            smallint,
    refused_at          timestamptz,

    expires_at          timestamptz not null,
    published_at        timestamptz,
    provider_message_id text,
    last_error          text,
    created_at          timestamptz not null default clock_timestamp(),

    constraint notification_routes_target check (target in ('address', 'device', 'topic', 'user')),
    -- A route to a user is expanded, or ends without a claim. ADR 51.
    constraint notification_routes_user check (
        target <> 'user'
        or (status in ('pending', 'skipped', 'cancelled') and claims = 0 and claim_token is null and address is null
            and (status <> 'pending' or (user_id is not null and lane < 0)))
    ),
    constraint notification_routes_address check (address is not null or address_hash is null),
    constraint notification_routes_priority check (priority between 0 and 2),
    constraint notification_routes_lane check (
        status not in ('pending', 'retrying')
        or (case target when 'user' then -2 - lane else lane end / 16 % 3 = priority
            and lane % 2 = case status when 'retrying' then 1 else 0 end)
    ),
    constraint notification_routes_status check (
        status in ('pending', 'retrying', 'published', 'dead_lettered', 'skipped', 'cancelled')
    ),
    -- The part of the life of a route that a single row can show. core/transitions.py.
    constraint notification_routes_life check (
        (next_attempt_at is not null) = (status in ('pending', 'retrying'))
        and (claim_token is null) = (leased_until is null)
        and (claim_token is null or status in ('pending', 'retrying'))
        and (doubt_until is null or status in ('pending', 'retrying', 'dead_lettered'))
        and (published_at is not null) = (status = 'published')
        and attempts >= 0
        and claims >= attempts
    ),
    constraint notification_routes_waiting check (
        (waiting_since is null) = (waiting_for is null)
        and (refused_at is null or refusals > 0)
    )
) with (
    -- A claim widens its row and changes no indexed column. More than half of each page stays free, so
    -- that the new version fits on the same page and needs no index entry.
    fillfactor = 45,
    -- Every delivery leaves two dead row versions: vacuum after so many of them, whatever the table's size.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000
);

-- The queue: claims read it. It has no column of leases, because a claim must not change an index entry.
create index notification_routes_due
    on dovecote.notification_routes (lane, next_attempt_at)
    where status in ('pending', 'retrying');

-- Finds routes that expire behind a paused channel, whose lanes no worker claims. Only live routes have a
-- next_attempt_at. The condition is not about their statuses, so that no other statement can use this index:
-- after an ANALYZE that saw no live route the planner chose it for claims. ADR 43.
create index notification_routes_expiry
    on dovecote.notification_routes (expires_at)
    where next_attempt_at > '-infinity';

-- Finds the routes that wait for one resource, the oldest first. Other routes have no entry. Statements
-- that read it name no status, so that they cannot use the index of due routes.
create index notification_routes_waiting
    on dovecote.notification_routes (waiting_for, waiting_since)
    where waiting_since is not null;

-- Finds the live routes of a device, which are skipped when it is deleted or dead.
create index notification_routes_device
    on dovecote.notification_routes (device_session_id)
    where target = 'device' and next_attempt_at is not null;

-- Finds the routes of a notification.
create index notification_routes_notification
    on dovecote.notification_routes (notification_id)
    with (fillfactor = 45);


-- The routes of each user, and of each address by its hash. They are tables, because each publish would
-- add an entry to an index of notification_routes. ADR 25.
--
-- An entry is stored with its route, and deleted with it or when its person is erased. Both happen under the
-- lock of the route, so no foreign key is needed. An entry only says where to look: the row of the route
-- says whose it is. Ids of notifications grow with time, so the primary keys serve pages too.
create table dovecote.user_routes (
    user_id         text,
    notification_id uuid,
    route_id        uuid,
    primary key (user_id, notification_id, route_id)
);

create table dovecote.address_routes (
    address_hash    bytea,
    notification_id uuid,
    route_id        uuid,
    primary key (address_hash, notification_id, route_id)
);

-- Delete the entries of routes that the caller has locked, while the routes still name their people.
-- It has the owner's rights, because purge may not read users and addresses. It finds each entry by its
-- key, whatever the statistics say, and deletes it by its ctid, which never changes.
create function dovecote.unlist(of_routes uuid[]) returns void
    language sql security definer
    set search_path = pg_catalog, dovecote, pg_temp set enable_seqscan = off
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
            select address_hash, notification_id
            from dovecote.notification_routes
            where route_id = one.id
            limit 1
        ) r
        cross join lateral (
            select e.ctid
            from dovecote.address_routes e
            where e.address_hash = r.address_hash and e.notification_id = r.notification_id and e.route_id = one.id
            limit 1
        ) entry
    ));
end;


-- The history of a route beyond its own row: failed attempts, ends, actions of operators, and events of the
-- provider. An ordinary delivery writes no event. The writer has locked the route in the same transaction,
-- so no foreign key is needed.
create table dovecote.notification_events (
    route_id   uuid not null,
    -- The claim of the send that the event is about; 0 for none.
    claim      integer not null,
    event      text not null,
    -- The provider's time where it reports one, so that a repeated report is the same row.
    at         timestamptz not null default clock_timestamp(),
    attempt    integer,
    reason     text,
    detail     text,
    message_id text,
    primary key (route_id, claim, event, at),
    constraint notification_events_event check (event in (
        'failed', 'in_doubt', 'lapsed', 'dead_lettered', 'skipped', 'cancelled', 'expanded',
        'settled', 'rejected', 'redriven', 'released', 'erased',
        'delivered', 'delayed', 'bounced', 'complained'
    ))
);

-- What happened in each minute, for the overview. Each connection adds to a row of its own, so that no statement
-- waits for another one; a statement adds what it changed, so that the counts commit or roll back with it.
-- functions/purge deletes the rows after a day. ADR 50.
create table dovecote.minutes (
    minute        timestamptz,
    -- The process of the server that serves the connection.
    writer        integer,
    published     integer not null,
    failed        integer not null,
    dead_lettered integer not null,
    primary key (minute, writer)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Add to the current minute; return the sum of what was added. The language is PL/pgSQL, because it keeps the plans:
-- a part of the statement that publishes would be planned at each execution. An update before the insertion costs
-- less than ON CONFLICT, which locks the row first; no other connection can insert the same row in between.
create function dovecote.add_to_minute(more_published bigint, more_failed bigint, more_dead bigint) returns bigint
    language plpgsql security definer set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    current_minute timestamptz := date_bin('1 minute', clock_timestamp(), '2000-01-01 00:00Z');
begin
    if more_published + more_failed + more_dead > 0 then
        update dovecote.minutes
        set published = published + more_published,
            failed = failed + more_failed,
            dead_lettered = dead_lettered + more_dead
        where minute = current_minute and writer = pg_backend_pid();
        if not found then
            insert into dovecote.minutes (minute, writer, published, failed, dead_lettered)
            values (current_minute, pg_backend_pid(), more_published, more_failed, more_dead);
        end if;
    end if;
    return more_published + more_failed + more_dead;
end $$;

-- Count the events that the overview shows. Publishing writes no event, except when an event of the provider
-- settles a route: sql/dispatch/publish_accepted.sql counts the rest.
create function dovecote.count_events() returns trigger
    language plpgsql security definer set search_path = pg_catalog, dovecote, pg_temp as $$
begin
    perform dovecote.add_to_minute(
        count(*) filter (where event = 'settled'),
        count(*) filter (where event in ('failed', 'in_doubt')),
        count(*) filter (where event in ('dead_lettered', 'rejected'))
    )
    from added;
    return null;
end $$;

create trigger count_events after insert on dovecote.notification_events
    referencing new table as added
    for each statement execute function dovecote.count_events();


-- Each call that redrove dead letters or tried to, with its counts so far.
create table dovecote.redrives (
    redrive_id uuid primary key,
    -- The ARN of the caller that API Gateway authorised.
    who        text not null,
    at         timestamptz not null default clock_timestamp(),
    filter     jsonb not null,
    per_second double precision,
    most       integer not null,
    expires_at timestamptz,
    matched    integer not null,
    redriven   integer not null,
    refused    integer not null
);

create table dovecote.notification_dead_letters (
    dead_letter_id   bigint primary key generated always as identity,
    route_id         uuid not null references dovecote.notification_routes,
    notification_id  uuid not null,
    -- Copied from the notification and the route, for the filters.
    kind             text not null,
    channel          text not null,
    reason           text not null,
    error            text,
    attempts         integer not null,
    dead_lettered_at timestamptz not null default clock_timestamp(),
    closed_at        timestamptz,
    closed_as        text,
    redrive_id       uuid references dovecote.redrives,
    constraint notification_dead_letters_reason check (
        reason in ('attempts', 'expired', 'permanent', 'ambiguous')
    ),
    constraint notification_dead_letters_closed check (
        (closed_at is null) = (closed_as is null) and closed_as in ('settled', 'redriven')
    )
);

-- Set the kind and channel of a new dead letter. A trigger does it with the owner's rights, so that no
-- function's user needs to read them. It costs two reads by primary key for each dead letter.
create function dovecote.describe_dead_letter() returns trigger
    language plpgsql security definer set search_path = pg_catalog, dovecote, pg_temp as $$
begin
    select n.kind, r.channel into strict new.kind, new.channel
    from dovecote.notification_routes r
    join dovecote.notifications n using (notification_id)
    where r.route_id = new.route_id;
    return new;
end $$;

create trigger describe before insert on dovecote.notification_dead_letters
    for each row execute function dovecote.describe_dead_letter();

-- Allows one open dead letter for each route.
create unique index notification_dead_letters_open
    on dovecote.notification_dead_letters (route_id)
    where closed_at is null;

-- Finds all dead letters of a route, which go with it; the foreign key needs it when a route is deleted.
create index notification_dead_letters_route on dovecote.notification_dead_letters (route_id);

-- Counts the open dead letters of the last hour, for the alarm.
create index notification_dead_letters_recent
    on dovecote.notification_dead_letters (dead_lettered_at)
    where closed_at is null;

-- Page through the open dead letters of one reason in the order of time: all of them, those of a kind, those of a
-- channel, and those of both. A search merges the reasons, which are four.
create index notification_dead_letters_reason
    on dovecote.notification_dead_letters (reason, dead_lettered_at, dead_letter_id)
    where closed_at is null;
create index notification_dead_letters_kind
    on dovecote.notification_dead_letters (kind, reason, dead_lettered_at, dead_letter_id)
    where closed_at is null;
create index notification_dead_letters_channel
    on dovecote.notification_dead_letters (channel, reason, dead_lettered_at, dead_letter_id)
    where closed_at is null;
create index notification_dead_letters_kind_channel
    on dovecote.notification_dead_letters (kind, channel, reason, dead_lettered_at, dead_letter_id)
    where closed_at is null;

-- Finds the dead letters that a redrive closed.
create index notification_dead_letters_redrive
    on dovecote.notification_dead_letters (redrive_id)
    where redrive_id is not null;
