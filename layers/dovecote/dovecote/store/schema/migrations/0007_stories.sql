-- What happened to a route, and the ways to find the routes of one person.

-- Everything that a route's own row does not tell for ever: failed attempts, its ends, what operators
-- did, what the provider told after a send. A delivery that nothing follows writes none, so that the
-- queue's usual way costs nothing here. Whoever writes one has locked the route, in the transaction
-- that changes it; that is why no foreign key looks it up again.
create table dovecote.notification_events (
    route_id   uuid not null,
    -- The claim that it is about, by the number that goes with each send; 0 where it is about none.
    claim      integer not null,
    event      text not null,
    -- The provider's own time where it told one: what is told twice is one row.
    at         timestamptz not null default clock_timestamp(),
    attempt    integer,
    reason     text,
    detail     text,
    message_id text,
    primary key (route_id, claim, event, at),
    constraint notification_events_event check (event in (
        'failed', 'in_doubt', 'lapsed', 'dead_lettered', 'skipped', 'cancelled',
        'settled', 'rejected', 'redriven', 'released', 'erased',
        'delivered', 'delayed', 'bounced', 'complained'
    ))
);

-- Notification ids are in the order of time, so that these are pages too.
create index notification_routes_user
    on dovecote.notification_routes (user_id, notification_id)
    where user_id is not null;

create index notification_routes_email
    on dovecote.notification_routes (lower(resolved_email collate "C"), notification_id)
    where resolved_email is not null;
