-- What alarms look at.

-- Open dead letters by their time, to count those of the last hour.
create index notification_dead_letters_recent
    on dovecote.notification_dead_letters (dead_lettered_at)
    where closed_at is null;
