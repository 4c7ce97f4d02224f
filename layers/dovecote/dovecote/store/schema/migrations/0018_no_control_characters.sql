-- No control characters in ids and idempotency keys, whichever way they are submitted: a key or an id is
-- printed, logged and copied by people. submission.py refuses the same characters; tests/vectors/controls.json
-- has examples that both are held to. No check constraint says it: every update of a row evaluates the
-- constraints of its table, so that a route with an id from before could no longer be delivered or erased.

-- Whether text has a character of C0, DEL, C1, or U+2028 or U+2029.
create function dovecote.has_controls(value text) returns boolean language sql immutable
return value collate "C" ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]';

-- Whether text is an id of the producer's own: submission.py, Identifier.
create or replace function dovecote.is_identifier(value text) returns boolean language sql immutable
return length(value) <= 255
    and not dovecote.has_controls(value)
    and value collate "C" ~ '[^ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]';

-- What a submit in SQL comes to, as before, with a check of the key. A function that is replaced loses its
-- settings: the search_path is pinned here, so that no name is looked up in a schema that others can write to.
create or replace function dovecote.take_submit(
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

    -- Whatever the catalog says by now.
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

revoke all on function dovecote.has_controls from public;
