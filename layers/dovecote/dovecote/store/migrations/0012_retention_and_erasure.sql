-- Retention and erasure.

-- Dead letters and rejections by their route: both go with it, and PostgreSQL looks for the first where a
-- route is deleted. Few routes have any.
create index notification_dead_letters_route on dovecote.notification_dead_letters (route_id);
create index email_rejections_route on dovecote.email_rejections (route_id);

-- Addresses that are not to be mailed, by the SHA-256 of what they are in lower case. Of one that was
-- erased no more is known.
create table if not exists dovecote.suppressions (
    key        bytea primary key,
    email      text,
    reason     text not null,
    route_id   uuid,
    message_id text,
    created_at timestamptz not null default clock_timestamp()
);
