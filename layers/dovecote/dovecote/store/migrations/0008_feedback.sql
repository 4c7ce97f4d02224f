-- What the email provider tells after a send, and the addresses that nothing is sent to any more.

-- What became of an email at its recipient's, by the provider's clock: the first delivery and complaint,
-- the last delay, and the last bounce, among which a permanent one outweighs all others.
alter table dovecote.email_deliveries
    add column delivered_at  timestamptz,
    add column bounced_at    timestamptz,
    add column bounce_type   text,
    add column complained_at timestamptz,
    add column delayed_at    timestamptz,
    add constraint email_deliveries_bounce check (
        (bounced_at is null) = (bounce_type is null)
        and bounce_type in ('permanent', 'transient', 'undetermined')
    );

-- Messages of an email that were accepted beside the first one: its send was repeated in doubt.
create table dovecote.further_acceptances (
    template_id     text not null,
    idempotency_key text not null,
    message_id      text not null,
    accepted_at     timestamptz not null default clock_timestamp(),
    primary key (template_id, idempotency_key, message_id)
);

-- Emails of which an acceptance stands: the first message that is not known to have been rejected.
-- What was accepted is never taken off the record, so that nothing is lost to who writes beside it.
create view dovecote.accepted_emails as
select d.template_id, d.idempotency_key, standing.message_id, standing.accepted_at,
       d.delivered_at, d.bounced_at, d.bounce_type, d.complained_at, d.delayed_at
from dovecote.email_deliveries d
cross join lateral (
    select message_id, accepted_at
    from (
        select d.message_id, d.accepted_at
        union all
        select f.message_id, f.accepted_at
        from dovecote.further_acceptances f
        where f.template_id = d.template_id and f.idempotency_key = d.idempotency_key
    ) told
    where not exists (
        select from dovecote.email_rejections r where r.message_id = told.message_id
    )
    order by accepted_at
    limit 1
) standing;

-- By what an address is known also after it was erased: its SHA-256, whatever the case of its letters.
create function dovecote.address_hash(address text) returns bytea
    language sql stable parallel safe
    return sha256(convert_to(lower(address collate "C"), 'UTF8'));

-- Addresses that nothing is sent to, and why; the first reason stands.
create table dovecote.suppressions (
    address_hash bytea primary key,
    email        text,  -- NULL once it was erased
    reason       text not null,
    -- What it comes from, where the provider told.
    route_id     uuid,
    message_id   text,
    created_at   timestamptz not null default clock_timestamp(),
    constraint suppressions_reason check (reason in ('bounced', 'complained', 'manual', 'erased'))
);

-- Suppress the address of a route. With the rights of the owner, since who takes the provider's events is
-- not to read addresses.
create function dovecote.suppress(of_route uuid, by_message text, because text) returns void
    language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
    insert into dovecote.suppressions (address_hash, email, reason, route_id, message_id)
    select dovecote.address_hash(resolved_email), resolved_email, because, route_id, by_message
    from dovecote.notification_routes
    where route_id = of_route and resolved_email is not null
    on conflict (address_hash) do nothing;
end;
revoke all on function dovecote.suppress from public;

-- As in 0006, but that routes to suppressed addresses are stored as skipped. `suppressed` has the reason of
-- each, by its position, so that the answer is known without reading; it is NULL where there is none.
drop function dovecote.submit;

create function dovecote.submit(
    new_id uuid, new_kind text, new_key text, new_fingerprint text, new_payload text,
    new_traceparent text, new_deliver_at timestamptz, new_priority smallint, new_max_attempts integer,
    new_expires_in double precision, new_token uuid, new_lease double precision, new_routes json,
    unless_devices_of text[],
    out stored_at timestamptz, out due_at timestamptz, out devices text, out suppressed text
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

    with stored as (
        insert into dovecote.notification_routes
            (route_id, notification_id, position, channel, target, user_id, device_session_id,
             resolved_email, locale, data, priority, lane, status, max_attempts, attempts, claims,
             claim_token, leased_until, last_attempt_at, next_attempt_at, expires_at, created_at, last_error)
        select route_id, new_id, position, channel, target, user_id, device_session_id,
               resolved_email, locale, data,
               new_priority, (case channel when 'email' then 0 else 6 end) + new_priority * 2,
               case when skipped is null then 'pending' else 'skipped' end,
               new_max_attempts, tried, tried,
               case when tried = 1 then new_token end,
               case when tried = 1 then stored_at + make_interval(secs => new_lease) end,
               case when tried = 1 then stored_at end,
               case when skipped is null then due_at end,
               due_at + make_interval(secs => new_expires_in),
               stored_at, skipped
        from json_to_recordset(new_routes) as route (
            route_id uuid, position integer, channel text, target text, user_id text,
            device_session_id text, resolved_email text, locale text, data text, skip text, claimed boolean
        )
        left join lateral (
            select reason from dovecote.suppressions
            where address_hash = dovecote.address_hash(resolved_email)
            limit 1
        ) suppression on skip is null
        cross join lateral (
            select coalesce(skip, 'address is suppressed: ' || reason) as skipped
        ) as why
        -- Only what is due is tried at once, by the database's clock.
        cross join lateral (
            select (claimed and due_at <= stored_at and skipped is null)::integer as tried
        ) as once
        returning position, last_error
    )
    select json_object_agg(position, last_error) into suppressed
    from stored where starts_with(last_error, 'address is suppressed: ');
end $$;
