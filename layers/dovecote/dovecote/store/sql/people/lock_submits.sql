-- Wait for the submits and registrations in flight, and hold back others until this transaction
-- ends. They share this lock from their look at the erased people to their commit: the next
-- statement sees what the earlier ones stored, and the later ones see what this transaction stores.
-- Safe: Others wait half a second at most. No holder waits for a row that an erasure has locked.
with bounded as materialized (
    select set_config('lock_timeout', '500ms', true)
)
select pg_advisory_xact_lock(7061993142) from bounded
