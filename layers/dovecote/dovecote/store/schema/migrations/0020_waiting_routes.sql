-- Routes that wait behind a pause, and refusals whose cause is not known yet. ADR 30.

-- A route that waits behind the pause of an identity, application or topic: for which one, and since when
-- it was due. `refusals` counts how often a provider refused it where the cause may be the resource;
-- `refused_at` is the first of these. 0 once another route's acceptance has shown that the cause is the
-- route itself. All are NULL for a route that never waited.
alter table dovecote.notification_routes
    add column waiting_since timestamptz,
    add column waiting_for   text,
    add column refusals      smallint,
    add column refused_at    timestamptz,
    add constraint notification_routes_waiting check (
        (waiting_since is null) = (waiting_for is null)
        and (refused_at is null or refusals > 0)
    );

-- Only routes that wait have an entry. The condition names the status too: the release before this one
-- publishes without clearing the columns.
create index notification_routes_waiting
    on dovecote.notification_routes (waiting_for, waiting_since)
    where waiting_since is not null and status in ('pending', 'retrying');

-- Of an identity, application or topic: the routes that were refused in a row since an acceptance, and
-- when a route was last accepted through it after trouble.
alter table dovecote.channel_state
    add column refused   uuid[] not null default '{}',
    add column proven_at timestamptz;
