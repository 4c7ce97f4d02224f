-- Redrives by filter: who asked for them, what came of them, and the ways to find dead letters.

-- One row for each call that redrove something or tried to, whatever became of its caller.
create table dovecote.redrives (
    redrive_id uuid primary key,
    -- The ARN that API Gateway authorised.
    who        text not null,
    at         timestamptz not null default clock_timestamp(),
    filter     jsonb not null,
    per_second double precision,
    most       integer not null,
    expires_at timestamptz,
    matched    integer not null,
    redriven   integer not null,
    refused    integer not null
);

alter table dovecote.notification_dead_letters
    add column kind       text,
    add column channel    text,
    add column redrive_id uuid references dovecote.redrives;

update dovecote.notification_dead_letters d
set kind = n.kind, channel = r.channel
from dovecote.notification_routes r
join dovecote.notifications n using (notification_id)
where d.route_id = r.route_id;

alter table dovecote.notification_dead_letters
    alter column kind set not null,
    alter column channel set not null;

-- Kind and channel are the route's, and kept here for the filters. A trigger, and not each statement
-- that writes a dead letter: the release before writes them too, and no function's user needs a right
-- more for it. It takes two reads by primary key for each dead letter.
create function dovecote.describe_dead_letter() returns trigger
    language plpgsql security definer set search_path = dovecote, pg_temp as $$
begin
    select n.kind, r.channel into strict new.kind, new.channel
    from dovecote.notification_routes r
    join dovecote.notifications n using (notification_id)
    where r.route_id = new.route_id;
    return new;
end $$;

create trigger describe before insert on dovecote.notification_dead_letters
    for each row execute function dovecote.describe_dead_letter();

-- Open dead letters by what they are filtered by, each in the order of time.
create index notification_dead_letters_kind
    on dovecote.notification_dead_letters (kind, dead_lettered_at, dead_letter_id)
    where closed_at is null;

create index notification_dead_letters_channel
    on dovecote.notification_dead_letters (channel, dead_lettered_at, dead_letter_id)
    where closed_at is null;

create index notification_dead_letters_reason
    on dovecote.notification_dead_letters (reason, dead_lettered_at, dead_letter_id)
    where closed_at is null;

-- What a redrive closed.
create index notification_dead_letters_redrive
    on dovecote.notification_dead_letters (redrive_id)
    where redrive_id is not null;
