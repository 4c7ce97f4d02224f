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
