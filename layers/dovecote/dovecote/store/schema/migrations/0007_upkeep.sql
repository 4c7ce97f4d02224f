-- Vacuum, statistics and purge of tables that grow for years.
--
-- PostgreSQL vacuums and analyses a table after a share of its rows has changed. With millions of rows kept, that share
-- is so large that dead rows and old statistics stay for days. These numbers are rows, whatever the size of the table.

alter table dovecote.notification_routes set (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

alter table dovecote.notifications set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

alter table dovecote.notification_payloads set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

alter table dovecote.notification_events set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

alter table dovecote.user_routes set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

alter table dovecote.address_routes set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

alter table dovecote.email_deliveries set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

alter table dovecote.notification_dead_letters set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000
);

alter table dovecote.push_devices set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000
);

alter table dovecote.suppressions set (
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000
);

-- Each worker updates these few rows all the time.
alter table dovecote.channel_state set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table dovecote.handover set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);


-- Where the last purge stopped, and when one last began with the oldest notification: for notifications, and for
-- payloads by the days that they are kept. A purge continues there, and begins with the oldest once a day: it keeps
-- some rows that end later.
create table dovecote.purge_place (
    name     text primary key,
    after_id uuid not null,
    began_at timestamptz not null
);
