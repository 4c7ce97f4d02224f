-- What a submit stores, as a function: PostgreSQL parses and plans its statements once a session, and
-- not once a submit, where that is more work than the rows. Nothing is prepared that a pooler would
-- have to keep. To change it, replace it as a whole; with other parameters it is another function
-- beside this one, for as long as the release before may call it.

-- Store a notification and all its routes, or nothing where its kind and key are taken: then all
-- answers are NULL. A second submit of the same key waits on the unique index until the first has
-- committed or rolled back, at most lock_timeout. The routes come as one JSON text, in their order.
-- They are those of users without devices: where one of `unless_devices_of` has any, these are the
-- answer, the oldest first, and nothing is stored.
create function dovecote.submit(
    new_id uuid, new_kind text, new_key text, new_fingerprint text, new_payload text,
    new_traceparent text, new_deliver_at timestamptz, new_priority smallint, new_max_attempts integer,
    new_expires_in double precision, new_token uuid, new_lease double precision, new_routes json,
    unless_devices_of text[],
    out stored_at timestamptz, out due_at timestamptz, out devices text
) language plpgsql as $$
declare
    one_user text;
begin
    -- One by one: for an array of any length PostgreSQL would plan anew each time, which takes 50 us.
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
        (notification_id, kind, idempotency_key, fingerprint, payload, traceparent, deliver_at)
    values (new_id, new_kind, new_key, new_fingerprint, new_payload, new_traceparent, new_deliver_at)
    on conflict (kind, idempotency_key) do nothing
    returning created_at, greatest(deliver_at, created_at) into stored_at, due_at;
    if not found then
        return;
    end if;

    insert into dovecote.notification_routes
        (route_id, notification_id, position, channel, target, user_id, device_session_id,
         resolved_email, locale, data, priority, lane, status, max_attempts, attempts, claims,
         claim_token, leased_until, last_attempt_at, next_attempt_at, expires_at, created_at, last_error)
    select route_id, new_id, position, channel, target, user_id, device_session_id,
           resolved_email, locale, data,
           new_priority, (case channel when 'email' then 0 else 6 end) + new_priority * 2,
           case when skip is null then 'pending' else 'skipped' end,
           new_max_attempts, tried, tried,
           case when tried = 1 then new_token end,
           case when tried = 1 then stored_at + make_interval(secs => new_lease) end,
           case when tried = 1 then stored_at end,
           case when skip is null then due_at end,
           due_at + make_interval(secs => new_expires_in),
           stored_at, skip
    from json_to_recordset(new_routes) as route (
        route_id uuid, position integer, channel text, target text, user_id text,
        device_session_id text, resolved_email text, locale text, data text, skip text, claimed boolean
    )
    -- Only what is due is tried at once, by the database's clock.
    cross join lateral (select (claimed and due_at <= stored_at)::integer) as once (tried);
end $$;
