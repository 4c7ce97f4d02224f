-- Publish the kinds of the catalog for submits in SQL, and delete those that the catalog no longer
-- has.
-- Safe: One statement under provision's lock, so a submit sees either the old catalog or the new
-- one.
with published as (
    select * from json_to_recordset(%(kinds)s) as kind (
        kind text, version text, channels text[], priority smallint, time_to_live double precision,
        max_attempts integer, required text[]
    )
), gone as (
    delete from dovecote.kinds where kind not in (select kind from published)
)
insert into dovecote.kinds (kind, version, channels, priority, time_to_live, max_attempts, required)
select kind, version, channels, priority, time_to_live, max_attempts, required from published
on conflict (kind) do update
set version = excluded.version, channels = excluded.channels, priority = excluded.priority,
    time_to_live = excluded.time_to_live, max_attempts = excluded.max_attempts,
    required = excluded.required
