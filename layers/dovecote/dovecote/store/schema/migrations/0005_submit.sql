-- Submit: the function that stores a notification with its routes, and submits in SQL, which producers call
-- in their own transaction. ADR 14, ADR 19, docs/submit-in-sql.md.
--
-- Each function in PL/pgSQL pins its search_path, so that it finds no name in a schema in which a producer may
-- create. PostgreSQL parses the other bodies once, when it creates them; a pin would only prevent inlining.
-- ADR 29.

-- Store a notification with all its routes, or nothing where its kind and key exist: then the results are
-- NULL. A second submit of the same key waits on the unique index until the first has ended, at most
-- lock_timeout. `new_routes` has the routes in their order; they are those of users without devices. If a user
-- of `unless_devices_of` has a device, nothing is stored, and `devices` has the devices of all these users, the
-- oldest first. Routes to suppressed addresses are stored as skipped; `suppressed` has their reasons by
-- position, or is NULL where there are none. The `number` of a route is that of its channel.
--
-- In a function PostgreSQL parses and plans the statements once per session instead of once per submit, also
-- behind a pooler. A later migration that changes its parameters must keep this function until no release in
-- service calls it.
create function dovecote.store_notification(
    new_id uuid, new_kind text, new_key text, new_fingerprint text, new_payload text,
    new_traceparent text, new_deliver_at timestamptz, new_priority smallint, new_max_attempts integer,
    new_expires_in double precision, new_token uuid, new_lease double precision, new_routes json,
    unless_devices_of text[], new_unchecked boolean default false,
    out stored_at timestamptz, out due_at timestamptz, out devices text, out suppressed text
) language plpgsql set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    one_user text;
begin
    -- User by user: for an array of any length PostgreSQL plans again at each call, which takes 50 us.
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
             address, locale, data, priority, lane, status, max_attempts, attempts, claims,
             claim_token, leased_until, last_attempt_at, next_attempt_at, expires_at, created_at, last_error)
        select route_id, new_id, position, channel, target, user_id, device_session_id,
               route.address, locale, data,
               new_priority, number * 6 + new_priority * 2,
               case when skipped is null then 'pending' else 'skipped' end,
               new_max_attempts, tried, tried,
               case when tried = 1 then new_token end,
               case when tried = 1 then stored_at + make_interval(secs => new_lease) end,
               case when tried = 1 then stored_at end,
               case when skipped is null then due_at end,
               due_at + make_interval(secs => new_expires_in),
               stored_at, skipped
        from json_to_recordset(new_routes) as route (
            route_id uuid, position integer, channel text, number smallint, target text, user_id text,
            device_session_id text, address text, locale text, data text, skip text, claimed boolean
        )
        left join lateral (
            select reason from dovecote.suppressions
            where address_hash = dovecote.address_hash(route.address)
            limit 1
        ) suppression on skip is null
        cross join lateral (
            select coalesce(skip, 'address is suppressed: ' || reason) as skipped
        ) as why
        -- The first attempt is made at once only for routes that are due by the database's clock.
        cross join lateral (
            select (claimed and due_at <= stored_at and skipped is null)::integer as tried
        ) as once
        returning route_id, user_id, address, position, last_error
    ), of_users as (
        insert into dovecote.user_routes (user_id, notification_id, route_id)
        select user_id, new_id, route_id from stored where user_id is not null
    ), of_addresses as (
        insert into dovecote.address_routes (address, notification_id, route_id)
        select lower(address collate "C"), new_id, route_id
        from stored where address is not null
    )
    select json_object_agg(position, last_error) into suppressed
    from stored where starts_with(last_error, 'address is suppressed: ');
end $$;

-- The part of the catalog that a submit in SQL reads. Provision publishes it.
create table dovecote.kinds (
    kind         text primary key,
    -- The SHA-256 of the kinds.yaml with this kind.
    version      text not null,
    channels     text[] not null,
    priority     smallint not null,
    time_to_live double precision not null,
    max_attempts integer not null,
    required     text[] not null
);

-- The settings of the environment that a submit in SQL reads: the addresses that may receive mail outside
-- production, and whether there is a push topic. Provision publishes them.
create table dovecote.routing (
    one      boolean primary key default true check (one),
    allowed  text[] not null,
    redirect text not null,
    topic    boolean not null
);

-- A UUID of version 7 (RFC 9562), as core/ids.py makes them: milliseconds since 1970, then random bits. It
-- overwrites parts of a UUID of version 4, because PostgreSQL 17 has no uuidv7().
create function dovecote.uuid7() returns uuid language sql volatile
return encode(
    set_bit(set_bit(
        overlay(
            uuid_send(gen_random_uuid())
            placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
            from 1 for 6
        ),
        52, 1), 53, 1),
    'hex')::uuid;

-- A JSON number with the digits that were sent, in the notation of General Decimal Arithmetic's
-- to-scientific-string, as core/parsing/strict_json.py writes it. The integer -0 is 0.
create function dovecote.json_number(spelt text) returns text
    language plpgsql immutable set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    part text[];
    digits text;
    exponent integer;
    point integer;  -- the position of the decimal point, in digits from the left
begin
    if spelt ~ '^-?[1-9][0-9]{0,17}$' then
        return spelt;
    elsif spelt in ('0', '-0') then
        return '0';
    end if;
    part := regexp_match(spelt, '^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)0*([0-9]+))?$');
    if length(part[5]) > 6 then
        raise exception using errcode = 'VC400',
            message = 'There is a number that is out of every range.';
    end if;
    digits := coalesce(nullif(ltrim(part[2] || coalesce(part[3], ''), '0'), ''), '0');
    exponent := coalesce((part[4] || part[5])::integer, 0) - coalesce(length(part[3]), 0);
    point := exponent + length(digits);
    if abs(point - 1) > 400 then
        raise exception using errcode = 'VC400',
            message = 'There is a number that is out of every range.';
    end if;
    return part[1] || case
        when exponent > 0 or point <= -6 then
            left(digits, 1)
            || case when length(digits) > 1 then '.' || substring(digits from 2) else '' end
            || 'E' || to_char(point - 1, 'FMSG999')
        when point <= 0 then '0.' || repeat('0', -point) || digits
        when exponent = 0 then digits
        else left(digits, point) || '.' || substring(digits from point + 1)
    end;
end $$;

-- Compact JSON, its members sorted by code points or in the order in which they were sent. `level` is the
-- nesting level of the value, an object or array, in the body of an HTTP call.
create function dovecote.json_text(value json, sorted boolean, level integer) returns text
    language plpgsql stable set search_path = pg_catalog, dovecote, pg_temp as $$
begin
    if level > 64 then
        raise exception using errcode = 'VC400',
            message = 'There is JSON that is nested more than 64 levels deep.';
    elsif json_typeof(value) = 'array' then
        return '[' || coalesce((
            select string_agg(dovecote.json_part(part.value, sorted, level), ',' order by place)
            from json_array_elements(value) with ordinality as part (value, place)
        ), '') || ']';
    end if;
    return '{' || coalesce((
        select string_agg(
            to_json(key)::text || ':' || dovecote.json_part(member.value, sorted, level), ','
            order by case when sorted then key collate "C" end, place)
        from json_each(value) with ordinality as member (key, value, place)
    ), '') || '}';
end $$;

-- A value inside an object or array of that level. PostgreSQL inlines it.
create function dovecote.json_part(value json, sorted boolean, level integer)
returns text language sql stable
return case json_typeof(value)
    when 'string' then to_json(value #>> '{}')::text
    when 'number' then dovecote.json_number(value::text)
    when 'object' then dovecote.json_text(value, sorted, level + 1)
    when 'array' then dovecote.json_text(value, sorted, level + 1)
    else value::text
end;

-- The fingerprint of a submit, by HTTP or in SQL: two submits of a key with the same fingerprint are the same.
-- docs/design.md, The fingerprint.
create function dovecote.fingerprint(
    kind text, payload json, recipients json, deliver_at timestamptz
) returns text language sql stable
return encode(
    sha256(convert_to(
        '{"deliver_at":' || coalesce(
            to_json(to_char(deliver_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text, 'null')
        || ',"kind":' || to_json(kind)::text
        || ',"payload":' || dovecote.json_text(payload, true, 2)
        || ',"recipients":' || dovecote.json_text(recipients, true, 2) || '}',
        'UTF8')),
    'hex');

-- An address as core/parsing/addresses.py returns it. NULL for anything else, and for addresses that only
-- Python can judge: those with a domain beyond ASCII or a quoted local part.
create function dovecote.mailable(address text) returns text
    language plpgsql immutable set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    part text[] := regexp_match(
        address collate "C",
        '^([\w!#$%&''*+/=?^`{|}~-]+(?:\.[\w!#$%&''*+/=?^`{|}~-]+)*)@([A-Za-z0-9.-]+)$');
    mailbox text := part[1];
    domain text := lower(part[2] collate "C");
begin
    if part is null or length(address) > 254 or length(mailbox) > 64 or length(domain) > 253
        or domain !~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z0-9-]{0,61}[a-z0-9])?[a-z]$'
        or domain ~ '(^|\.)(-|..--)'
        or domain ~ '\.(arpa|invalid|local|localhost|onion|test)$'
    then
        return null;
    end if;
    -- The mailbox names of RFC 2142 do not depend on case.
    if lower(mailbox) in (
        'info', 'marketing', 'sales', 'support', 'abuse', 'noc', 'security', 'postmaster', 'hostmaster',
        'usenet', 'news', 'webmaster', 'www', 'uucp', 'ftp'
    ) then
        mailbox := lower(mailbox);
    end if;
    return mailbox || '@' || domain;
end $$;

-- Whether text has a control character: C0, DEL, C1, U+2028 or U+2029. People print, log and copy keys and
-- ids. submit/submission.py refuses the same characters; tests/vectors/controls.json has examples for both.
create function dovecote.has_controls(value text) returns boolean language sql immutable
return value collate "C" ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]';

-- Whether text is valid as an id of a producer: submit/submission.py, Identifier.
create function dovecote.is_identifier(value text) returns boolean language sql immutable
return length(value) <= 255
    and not dovecote.has_controls(value)
    and value collate "C" ~ '[^ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]';

-- A recipient as submit/submission.py reads it; `fault` says where and why it is not valid.
create type dovecote.recipient as (
    user_id text, email text, device_session_id text, locale text, data text, fault text
);

create function dovecote.read_recipient(value json) returns dovecote.recipient
    language plpgsql stable set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    one dovecote.recipient;
begin
    if json_typeof(value) <> 'object' then
        one.fault := ' is not an object';
        return one;
    end if;
    select min(
        case
            when key not in ('user_id', 'email', 'device_session_id', 'locale', 'data')
                then ' has a member that Dovecote does not know'
            when json_typeof(member.value) = 'null' then null
            when json_typeof(member.value) <> case key when 'data' then 'object' else 'string' end
                then '/' || key || ' is not ' || case key when 'data' then 'an object' else 'text' end
            when key in ('user_id', 'device_session_id')
                and not dovecote.is_identifier(member.value #>> '{}')
                then '/' || key || ' is too long or holds characters that it may not hold'
            when key = 'email' and dovecote.mailable(member.value #>> '{}') is null
                then '/email is not a single email address that can be mailed, or one that only the'
                    ' HTTP call can judge'
            when key = 'locale' and (
                length(member.value #>> '{}') > 35
                or (member.value #>> '{}') collate "C"
                    !~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$')
                then '/locale is too long or holds characters that it may not hold'
        end)
    into one.fault
    from json_each(value) as member (key, value);
    if one.fault is null then
        one.user_id := value ->> 'user_id';
        one.email := dovecote.mailable(value ->> 'email');
        one.device_session_id := value ->> 'device_session_id';
        one.locale := value ->> 'locale';
        if json_typeof(value -> 'data') = 'object' then
            one.data := dovecote.json_text(value -> 'data', false, 4);
        end if;
    end if;
    return one;
end $$;

-- The routes of a notification, as submit/routing.py makes them; a test compares the two. In PL/pgSQL, which
-- keeps the plan.
create function dovecote.routes_of(people dovecote.recipient[], channels text[]) returns json
    language plpgsql set search_path = pg_catalog, dovecote, pg_temp as $$
begin
    return (
        select json_agg(json_build_object(
            'route_id', dovecote.uuid7(), 'position', position, 'channel', channel,
            'number', (select number from dovecote.channels where name = channel), 'target', target,
            'user_id', user_id, 'device_session_id', session, 'address', address, 'locale', locale,
            'data', data, 'skip', skip, 'claimed', false
        ) order by position)
        from (
            select person.user_id, person.locale, person.data, way.channel, target, session, address, skip,
                   row_number() over (order by person.place, way.turn, place_of_device) - 1 as position
            from unnest(people) with ordinality
                as person (user_id, email, named, locale, data, fault, place)
            cross join unnest(channels) with ordinality as way (channel, turn)
            cross join dovecote.routing as rule
            cross join lateral (
                select allowed = '{}' and redirect = ''
                    or lower(email collate "C") = any (allowed)
                    or '@' || lower(split_part(email, '@', 2) collate "C") = any (allowed) as is_allowed
            ) mail
            cross join lateral (
                select 'address' as target, null as session, 0 as place_of_device,
                       case when is_allowed or redirect = '' then email
                            when email is not null then redirect end as address,
                       case when email is null then 'recipient has no email'
                            when not is_allowed and redirect = '' then 'not allowed here' end as skip
                where way.channel = 'email'
                union all
                select 'device', d.device_session_id,
                       row_number() over (order by d.created_at, d.device_session_id), null, null
                from dovecote.push_devices d
                where way.channel = 'push' and d.user_id = person.user_id and d.dead_at is null
                  and d.device_session_id = coalesce(named, d.device_session_id)
                union all
                select 'topic', named, 2147483647, null, null
                where way.channel = 'push' and person.user_id is not null and rule.topic
                union all
                select 'device', named, 0, null,
                       case when person.user_id is null then 'recipient has no user_id'
                            when named is null then 'user has no device'
                            else 'device is not registered' end
                where way.channel = 'push' and (person.user_id is null or not rule.topic and not exists (
                    select from dovecote.push_devices d
                    where d.user_id = person.user_id and d.dead_at is null
                      and d.device_session_id = coalesce(named, d.device_session_id)))
            ) route
        ) placed
    );
end $$;

-- Where and why a kind cannot be sent to these people, as far as this is known without its schema.
create function dovecote.fault_of(people dovecote.recipient[], payload json, entry dovecote.kinds) returns text
    language plpgsql immutable set search_path = pg_catalog, dovecote, pg_temp as $$
begin
    return (
        with missing as materialized (
            select name from unnest(entry.required) as required (name) where payload -> name is null
        )
        select '/recipients/' || place - 1 || case
            when lacks is null then ' can be reached by none of the channels of ' || entry.kind
            else ': payload and data lack ' || lacks end
        from unnest(people) with ordinality as person (user_id, email, named, locale, data, fault, place)
        cross join lateral (
            select string_agg(name, ', ' order by name) as lacks
            from missing where data is null or data::json -> name is null
        ) member
        where lacks is not null
           or not ('email' = any (entry.channels) and email is not null
                   or 'push' = any (entry.channels) and user_id is not null)
        order by place limit 1
    );
end $$;

-- The notification that has a key, or nothing. An error if its content was different.
create function dovecote.first_submit(
    its_kind text, its_key text, its_fingerprint text, out first_id uuid, out first_at timestamptz
) language plpgsql set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    found_fingerprint text;
begin
    select notification_id, created_at, fingerprint into first_id, first_at, found_fingerprint
    from dovecote.notifications
    where kind = its_kind and idempotency_key = its_key;
    if found_fingerprint <> its_fingerprint then
        raise exception using errcode = 'VC409',
            message = 'The idempotency key was used before, with another body.';
    end if;
end $$;

-- Check a submit in SQL and store it, or return the first notification of its key.
create function dovecote.take_submit(
    its_kind text, its_key text, payload json, recipients json, its_time timestamptz, its_parent text,
    out notification_id uuid, out created_at timestamptz, out replayed boolean
) language plpgsql set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    own_id constant uuid := dovecote.uuid7();
    own_fingerprint text;
    payload_text text;
    people dovecote.recipient[];
    entry dovecote.kinds;
    routes json;
    fault text;
begin
    if coalesce(its_key, '') = '' then
        raise exception using errcode = 'VC400', message = 'There is no idempotency key.';
    elsif length(its_key) > 255 then
        raise exception using errcode = 'VC422',
            message = 'The idempotency key is longer than 255 characters.';
    elsif dovecote.has_controls(its_key) then
        raise exception using errcode = 'VC422',
            message = 'The idempotency key must not contain control characters.';
    elsif its_kind is null or json_typeof(payload) is distinct from 'object'
        or json_typeof(recipients) is distinct from 'array' then
        raise exception using errcode = 'VC422',
            message = 'A submit takes a kind, a JSON object as payload and a JSON array of recipients.';
    elsif octet_length(payload::text) + octet_length(recipients::text) > 1024 * 1024 then
        raise exception using errcode = 'VC413',
            message = 'Payload and recipients are larger than 1 MiB.';
    elsif json_array_length(recipients) not between 1 and 1000 then
        raise exception using
            errcode = case json_array_length(recipients) when 0 then 'VC422' else 'VC413' end,
            message = 'There are no recipients, or more than 1000.';
    elsif its_time < '1971-01-01Z' or its_time >= '9000-01-01Z' then
        raise exception using errcode = 'VC422', message = 'deliver_at is out of range.';
    end if;

    payload_text := dovecote.json_text(payload, false, 2);
    own_fingerprint := dovecote.fingerprint(its_kind, payload, recipients, its_time);
    if payload is not json with unique keys or recipients is not json with unique keys then
        raise exception using errcode = 'VC400',
            message = 'There is an object with a member that stands twice.';
    elsif octet_length(payload_text) > 64 * 1024 then
        raise exception using errcode = 'VC422', message = 'The payload is larger than 64 KiB.';
    end if;
    people := array(
        select dovecote.read_recipient(value)
        from json_array_elements(recipients) with ordinality as person (value, place)
        order by place
    );
    select '/recipients/' || place - 1 || person.fault into fault
    from unnest(people) with ordinality as person (user_id, email, named, locale, data, fault, place)
    where person.fault is not null order by place limit 1;
    if fault is not null then
        raise exception using errcode = 'VC422', message = fault || '.';
    end if;

    -- A replay is answered even if the catalog has changed since.
    select * into notification_id, created_at
    from dovecote.first_submit(its_kind, its_key, own_fingerprint);
    replayed := notification_id is not null;
    if replayed then
        return;
    end if;

    select * into entry from dovecote.kinds where kind = its_kind;
    if not found then
        raise exception using errcode = 'VC422', message = 'The kind is not in the catalog.',
            hint = 'Provision publishes the catalog to the database.';
    end if;
    fault := dovecote.fault_of(people, payload, entry);
    if fault is not null then
        raise exception using errcode = 'VC422', message = fault || '.';
    end if;
    routes := dovecote.routes_of(people, entry.channels);
    if json_array_length(routes) > 10000 then
        raise exception using errcode = 'VC413',
            message = 'The recipients have so many devices that there are more than 10000 routes.';
    end if;
    select stored.stored_at into created_at
    from dovecote.store_notification(
        own_id, its_kind, its_key, own_fingerprint, payload_text, its_parent, its_time,
        entry.priority, entry.max_attempts, entry.time_to_live, null, null, routes, '{}',
        new_unchecked => true
    ) stored;
    if created_at is not null then
        notification_id := own_id;
        return;
    end if;

    select * into notification_id, created_at
    from dovecote.first_submit(its_kind, its_key, own_fingerprint);
    replayed := true;
    if notification_id is null then
        raise lock_not_available using
            message = 'The first submit of this key has just been withdrawn.', hint = 'Try again.';
    end if;
end $$;

-- Store a notification in the caller's transaction: it becomes visible, or is rolled back, with it. A repeated
-- key with the same content, by HTTP or here, returns the first notification. No route is sent at once:
-- dispatch finds the routes at its next run. Errors repeat nothing of payload and recipients.
create function dovecote.submit(
    kind text, idempotency_key text, payload json, recipients json,
    deliver_at timestamptz default null, traceparent text default null,
    out notification_id uuid, out created_at timestamptz, out replayed boolean
) language plpgsql security definer
-- The caller's values of these settings have no effect.
set search_path = pg_catalog, dovecote, pg_temp
set random_page_cost = 1.1
set plan_cache_mode = force_generic_plan
as $$
declare
    bound constant text := current_setting('lock_timeout');
    place text;
begin
    -- Without a lock_timeout of the caller, waits end after 2 s.
    if bound = '0' then
        perform set_config('lock_timeout', '2s', true);
    end if;
    begin
        select * into notification_id, created_at, replayed
        from dovecote.take_submit(
            kind, idempotency_key, payload, recipients, deliver_at,
            substring(traceparent from
                '^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$')
        );
    exception
        when untranslatable_character or invalid_text_representation then
            -- PostgreSQL's own message repeats the text.
            raise exception using errcode = 'VC400',
                message = 'There is text with NUL, or with half of a surrogate pair.';
        when lock_not_available then
            get stacked diagnostics place = pg_exception_context;
            -- Without the position of a row, such as (0,1), in its first line the wait was for a whole table.
            if split_part(place, E'\n', 1) !~ '\(\d+,\d+\)' then
                raise;
            end if;
            raise lock_not_available using
                message = 'The first submit of this key is still being stored by another transaction.',
                hint = 'Try again, or let this one wait longer by lock_timeout.';
    end;
    if bound = '0' then
        perform set_config('lock_timeout', bound, true);
    end if;
end $$;

-- No function is public. Provision grants to each function's user, and to the role of producers, the functions
-- that it calls.
revoke all on all functions in schema dovecote from public;
