-- What was published, and what failed, minute by minute.

-- Summaries of ranges of pages, and no entry for a row: a publish adds nothing to them but where its
-- minute is the first of its range, and a claim, which touches no column of theirs, stays heap-only.
create index notification_routes_published
    on dovecote.notification_routes
    using brin (date_trunc('minute', published_at at time zone 'utc'))
    with (autosummarize = on)
    where published_at is not null;

create index notification_events_minute
    on dovecote.notification_events
    using brin (date_trunc('minute', at at time zone 'utc'))
    with (autosummarize = on);
