-- Submit: the function that stores a notification with its routes, and submits in SQL, which producers call
-- in their own transaction. ADR 14, ADR 44, docs/submit-in-sql.md.
--
-- Each function in PL/pgSQL pins its search_path, so that it finds no name in a schema in which a producer may
-- create. PostgreSQL parses the other bodies once, when it creates them; a pin would only prevent inlining.
-- ADR 29.

-- The submissions in SQL that functions/submit has not expanded yet, and those that it refused. A submission
-- is pending until it is expanded into a notification with its routes; then its row is deleted.
create table dovecote.inbox (
    -- The id of the notification that the submission becomes.
    notification_id uuid primary key,
    kind            text not null,
    idempotency_key text not null,
    -- The SHA-256 of the submitted text.
    digest          bytea,
    payload         text,
    recipients      text,
    deliver_at      timestamptz,
    traceparent     text,
    created_at      timestamptz not null default clock_timestamp(),
    attempts        integer not null default 0,
    -- When a worker may expand a pending submission.
    next_attempt_at timestamptz default clock_timestamp(),
    refused_at      timestamptz,
    -- The problem document of a refused submission. It repeats nothing of the submission.
    problem         text,
    constraint inbox_life check (
        (refused_at is null) = (problem is null)
        and (refused_at is null) = (next_attempt_at is not null)
        and (refused_at is null) = (digest is not null and payload is not null and recipients is not null)
    )
) with (
    -- Every submission leaves dead rows: vacuum after so many of them, whatever the table's size.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 1000
);

-- Finds the kinds of pending submissions, and those of a kind that are due.
create index inbox_due on dovecote.inbox (kind, next_attempt_at) where next_attempt_at is not null;

-- Counts the refused submissions of the last hour, for the alarm.
create index inbox_refused on dovecote.inbox (refused_at) where refused_at is not null;

-- Delete a pending submission and the notification that reserves its key; return when it was submitted, or
-- NULL if it is not pending. It has the owner's rights, because no function may delete notifications: only a
-- reservation has the id of a pending submission.
create function dovecote.take_submission(of_notification uuid) returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, dovecote, pg_temp as $$
declare
    submitted_at timestamptz;
begin
    delete from dovecote.inbox
    where notification_id = of_notification and refused_at is null
    returning created_at into submitted_at;
    if submitted_at is not null then
        delete from dovecote.notifications where notification_id = of_notification;
    end if;
    return submitted_at;
end $$;

-- Refuse a pending submission: delete its content, keep its problem, and release its key. Return whether it
-- was pending. It has the owner's rights for the same reason.
create function dovecote.refuse_submission(of_notification uuid, because text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, dovecote, pg_temp as $$
begin
    update dovecote.inbox
    set refused_at = clock_timestamp(), problem = because, next_attempt_at = null, digest = null,
        payload = null, recipients = null, deliver_at = null, traceparent = null
    where notification_id = of_notification and refused_at is null;
    if found then
        delete from dovecote.notifications where notification_id = of_notification;
        return true;
    end if;
    return false;
end $$;

-- Store a notification with all its routes, or nothing where its kind and key exist: then the results are
-- NULL. A second submit of the same key waits on the unique index until the first has ended, at most
-- lock_timeout. `new_routes` has the routes in their order; they are those of users without devices. If a user
-- of `unless_devices_of` has a device, nothing is stored, and `devices` has the devices of all these users, the
-- oldest first. If one of `new_people` was erased, nothing is stored either, and `erased` has their hashes: the
-- caller stores the notification without them. Routes to suppressed addresses are stored as skipped; `suppressed`
-- has their reasons by position, or is NULL where there are none. `from_inbox` says that the notification has the id of a pending
-- submission, which is deleted in this statement; the results are NULL where it is not pending any more.
--
-- It has the owner's rights, so that the user of functions/submit writes nothing but whole notifications.
--
-- In a function PostgreSQL parses and plans the statements once per session instead of once per submit, also
-- behind a pooler. A later migration that changes its parameters must keep this function until no release in
-- service calls it.
create function dovecote.store_notification(
    new_id uuid, new_kind text, new_key text, new_fingerprint bytea, new_payload text,
    new_traceparent text, new_deliver_at timestamptz, new_priority smallint, new_max_attempts integer,
    new_expires_in double precision, new_token uuid, new_lease double precision, new_routes json,
    unless_devices_of text[], new_people bytea[], from_inbox boolean default false,
    new_payload_days smallint default -1,
    out stored_at timestamptz, out due_at timestamptz, out devices text, out suppressed text, out erased text
) language plpgsql security definer
set search_path = pg_catalog, dovecote, pg_temp
-- PostgreSQL would plan again for each array, and for each value of any_suppressed.
set plan_cache_mode = force_generic_plan
-- Statistics from when there were no suppressions do not make it read all of them.
set enable_seqscan = off
as $$
declare
    any_suppressed boolean;
    submitted_at timestamptz;
    sent_from timestamptz;
begin
    select json_agg(device) into devices
    from (
        select user_id, device_session_id, endpoint
        from dovecote.push_devices
        where user_id = any (unless_devices_of) and dead_at is null
        order by user_id, created_at, device_session_id
    ) device;
    if devices is not null then
        return;
    end if;

    -- An erasure takes this lock alone: people/lock_submits.sql. So it comes after this transaction, and finds its
    -- routes, or before it, and is seen by the next statement.
    perform pg_advisory_xact_lock_shared(7061993142);
    select json_agg(person_hash) filter (where reason = 'erased'), count(*) > 0 into erased, any_suppressed
    from dovecote.suppressions
    where person_hash = any (new_people);
    if erased is not null then
        return;
    end if;

    if from_inbox then
        submitted_at := dovecote.take_submission(new_id);
        if submitted_at is null then
            return;
        end if;
    end if;

    insert into dovecote.notifications
        (notification_id, kind, idempotency_key, fingerprint, traceparent, deliver_at, created_at)
    values (new_id, new_kind, new_key, new_fingerprint, new_traceparent, new_deliver_at,
            coalesce(submitted_at, clock_timestamp()))
    on conflict (kind, idempotency_key) do nothing
    returning created_at, greatest(deliver_at, created_at) into stored_at, due_at;
    if not found and from_inbox then
        -- The submission stays pending: its next expansion finds the notification that has the key.
        raise unique_violation using message = 'Another notification has the key of the submission.';
    elsif not found then
        return;
    end if;
    -- What a submission in SQL stores is due now and not when it was submitted: dispatch reads a lane from a few
    -- seconds before its last claim on (ADR 43).
    sent_from := case when from_inbox then greatest(due_at, clock_timestamp()) else due_at end;

    with body as (
        insert into dovecote.notification_payloads (notification_id, payload_days, payload)
        values (new_id, new_payload_days, new_payload)
    ), stored as (
        insert into dovecote.notification_routes
            (route_id, notification_id, position, channel, target, user_id, device_session_id,
             address, address_hash, locale, data, priority, lane, status, max_attempts, attempts, claims,
             claim_token, leased_until, last_attempt_at, next_attempt_at, expires_at, created_at, last_error)
        select route_id, new_id, position, channel, target, user_id, device_session_id,
               route.address, address_hash, locale, data,
               new_priority, lane,
               case when skipped is null then 'pending' else 'skipped' end,
               new_max_attempts, tried, tried,
               case when tried = 1 then new_token end,
               case when tried = 1 then stored_at + make_interval(secs => new_lease) end,
               case when tried = 1 then stored_at end,
               case when skipped is null then sent_from end,
               due_at + make_interval(secs => new_expires_in),
               stored_at, skipped
        from json_to_recordset(new_routes) as route (
            route_id uuid, position integer, channel text, lane smallint, target text, user_id text,
            device_session_id text, address text, address_hash bytea, locale text, data text, skip text, claimed boolean
        )
        left join lateral (
            select reason from dovecote.suppressions
            where person_hash = route.address_hash
            limit 1
        ) suppression on skip is null and any_suppressed
        cross join lateral (
            select coalesce(skip, 'address is suppressed: ' || reason) as skipped
        ) as why
        -- The first attempt is made at once only for routes that are due by the database's clock.
        cross join lateral (
            select (claimed and due_at <= stored_at and skipped is null)::integer as tried
        ) as once
        returning route_id, user_id, address_hash, position, last_error
    ), of_users as (
        insert into dovecote.user_routes (user_id, notification_id, route_id)
        select user_id, new_id, route_id from stored where user_id is not null
    ), of_addresses as (
        insert into dovecote.address_routes (address_hash, notification_id, route_id)
        select address_hash, new_id, route_id
        from stored where address_hash is not null
    )
    select json_object_agg(position, last_error) into suppressed
    from stored where starts_with(last_error, 'address is suppressed: ');
end $$;

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

-- Submit in the caller's transaction: the submission becomes pending, or is rolled back, with it. Only its
-- shape is checked here; functions/submit checks the rest when it expands the submission. Errors repeat nothing
-- of payload and recipients.
--
-- A row of notifications without routes reserves the key and the id. So one unique index decides between
-- submits of one key by SQL and by HTTP, and a second one waits for the transaction of the first. Where the key
-- belongs to a notification that is expanded, its id is returned, and the submission is stored to be compared
-- with that notification.
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
#variable_conflict use_column
declare
    own_id constant uuid := dovecote.uuid7();
    wait constant text := current_setting('lock_timeout');
    own_digest bytea;
    first_digest bytea;
begin
    if coalesce(submit.idempotency_key, '') = '' then
        raise exception using errcode = 'VC400', message = 'idempotency_key: is missing';
    elsif length(submit.idempotency_key) > 255 then
        raise exception using errcode = 'VC422', message = 'idempotency_key: must have at most 255 characters';
    -- People print, log and copy keys. submit/idempotency_key.py refuses the same characters;
    -- tests/vectors/controls.json has examples for both.
    elsif submit.idempotency_key collate "C" ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' then
        raise exception using errcode = 'VC422',
            message = 'idempotency_key: must not contain control characters';
    elsif coalesce(length(submit.kind), 0) not between 1 and 128 then
        raise exception using errcode = 'VC422', message = 'kind: must have 1 to 128 characters';
    elsif json_typeof(submit.payload) is distinct from 'object' then
        raise exception using errcode = 'VC422', message = 'payload: must be a JSON object';
    elsif json_typeof(submit.recipients) is distinct from 'array' then
        raise exception using errcode = 'VC422', message = 'recipients: must be a JSON array';
    elsif octet_length(submit.payload::text) + octet_length(submit.recipients::text) > 1024 * 1024 then
        raise exception using errcode = 'VC413',
            message = 'payload and recipients: must have at most 1 MiB together';
    elsif json_array_length(submit.recipients) = 0 then
        raise exception using errcode = 'VC422', message = 'recipients: must not be empty';
    elsif json_array_length(submit.recipients) > 1000 then
        raise exception using errcode = 'VC413', message = 'recipients: must have at most 1000 entries';
    elsif submit.deliver_at < '1971-01-01Z' or submit.deliver_at >= '9000-01-01Z' then
        raise exception using errcode = 'VC422', message = 'deliver_at: is out of range';
    end if;
    -- No JSON text has the separator.
    own_digest := sha256(convert_to(
        concat_ws(e'\x1f', submit.payload, submit.recipients, extract(epoch from submit.deliver_at)),
        'UTF8'));

    -- Without a lock_timeout of the caller, a wait for the first submit of the key ends after 2 s.
    if wait = '0' then
        perform set_config('lock_timeout', '2s', true);
    end if;
    insert into dovecote.notifications as n (notification_id, kind, idempotency_key, fingerprint)
    values (own_id, submit.kind, submit.idempotency_key, '')
    on conflict on constraint notifications_key do nothing
    returning n.notification_id, n.created_at into submit.notification_id, submit.created_at;
    submit.replayed := not found;
    if submit.replayed then
        select n.notification_id, n.created_at, i.digest
        into submit.notification_id, submit.created_at, first_digest
        from dovecote.notifications n
        left join dovecote.inbox i on i.notification_id = n.notification_id
        where n.kind = submit.kind and n.idempotency_key = submit.idempotency_key;
        if not found then
            raise lock_not_available using
                message = 'The first submit of this key was rolled back or refused.', hint = 'Try again.';
        elsif first_digest <> own_digest then
            raise exception using errcode = 'VC409',
                message = 'idempotency_key: was used before, with another body';
        end if;
    end if;
    if first_digest is null then
        insert into dovecote.inbox
            (notification_id, kind, idempotency_key, digest, payload, recipients, deliver_at, traceparent,
             created_at)
        values (
            own_id, submit.kind, submit.idempotency_key, own_digest, submit.payload, submit.recipients,
            submit.deliver_at,
            substring(submit.traceparent from
                '^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$'),
            case when submit.replayed then clock_timestamp() else submit.created_at end
        );
    end if;
    if wait = '0' then
        perform set_config('lock_timeout', wait, true);
    end if;
end $$;

-- No function is public. Provision grants to each function's user, and to the role of producers, the functions
-- that it calls.
revoke all on all functions in schema dovecote from public;
