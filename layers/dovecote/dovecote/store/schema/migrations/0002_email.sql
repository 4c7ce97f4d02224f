-- Email: acceptances and rejections by the provider, later events, and suppressed addresses.

-- The first message that the provider accepted for each email, stored by whichever part learned of it first.
-- ADR 17.
create table dovecote.email_deliveries (
    route_id        uuid primary key,
    message_id      text not null,
    accepted_at     timestamptz not null default clock_timestamp(),
    -- Later events, by the provider's clock: the first delivery and complaint, the last delay, and the last
    -- bounce. A permanent bounce replaces any other, and no other replaces it.
    delivered_at    timestamptz,
    bounced_at      timestamptz,
    bounce_type     text,
    complained_at   timestamptz,
    delayed_at      timestamptz,
    constraint email_deliveries_bounce check (
        (bounced_at is null) = (bounce_type is null)
        and bounce_type in ('permanent', 'transient', 'undetermined')
    )
);

-- Further accepted messages of the same email, after a repeated send of a route in doubt.
create table dovecote.further_acceptances (
    further_acceptance_id bigint generated always as identity primary key,
    route_id              uuid not null,
    message_id            text not null,
    accepted_at           timestamptz not null default clock_timestamp()
);

-- Stores each message once. It has a hash of the message id, because ids may be longer than an index entry;
-- 64 bits tell apart the few messages of one email.
create unique index further_acceptances_message
    on dovecote.further_acceptances (route_id, hashtextextended(message_id, 0));

-- Messages that the provider accepted and then rejected for good. Their routes may be sent again, and a late
-- event of their acceptance changes nothing.
create table dovecote.email_rejections (
    rejection_id bigint generated always as identity primary key,
    message_id   text not null,
    route_id     uuid not null,
    rejected_at  timestamptz not null default clock_timestamp(),
    -- Makes the message id unique by a hash index, which takes values of any length.
    constraint email_rejections_message exclude using hash (message_id with =)
);

-- Finds the rejections of a route, which are purged with it.
create index email_rejections_route on dovecote.email_rejections (route_id);

-- Emails that count as accepted, each with its first message that was not rejected. Acceptances are never
-- deleted, so that concurrent writers lose none.
create view dovecote.accepted_emails as
select d.route_id, standing.message_id, standing.accepted_at,
       d.delivered_at, d.bounced_at, d.bounce_type, d.complained_at, d.delayed_at
from dovecote.email_deliveries d
cross join lateral (
    select message_id, accepted_at
    from (
        select d.message_id, d.accepted_at
        union all
        select f.message_id, f.accepted_at
        from dovecote.further_acceptances f
        where f.route_id = d.route_id
    ) told
    where not exists (
        select from dovecote.email_rejections r where r.message_id = told.message_id
    )
    order by accepted_at
    limit 1
) standing;


-- Addresses that Dovecote sends nothing to, with the first reason, and users and addresses that were erased. Of an
-- erased person only the hash is kept. store/person_hash.py computes it, with a key that the database does not
-- have: a reader of this table cannot test guesses.
create table dovecote.suppressions (
    person_hash  bytea primary key,
    address      text,  -- NULL after an erasure
    reason       text not null,
    -- The email that caused it, where the provider reported one.
    route_id     uuid,
    message_id   text,
    created_at   timestamptz not null default clock_timestamp(),
    constraint suppressions_reason check (reason in ('bounced', 'complained', 'manual', 'erased'))
);

-- Suppress the address of a route. It has the owner's rights, because feedback may not read addresses.
create function dovecote.suppress(of_route uuid, by_message text, because text) returns void
    language sql security definer set search_path = pg_catalog, dovecote, pg_temp
begin atomic
    insert into dovecote.suppressions (person_hash, address, reason, route_id, message_id)
    select address_hash, address, because, route_id, by_message
    from dovecote.notification_routes
    where route_id = of_route and address_hash is not null
    on conflict (person_hash) do nothing;
end;
