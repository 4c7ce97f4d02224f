-- Let one registration at a time change a device or take an endpoint. Two users who log in with one
-- token at the same moment both succeed, and the second has it.
-- Safe: Locks of the transaction, which only reads and writes rows. All callers take both locks in
-- one order. Two keys with the same hash wait for each other.
select pg_advisory_xact_lock(key)
from (
    select hashtextextended(value, 0) as key
    from unnest(array[
        %(user_id)s::text || E'\n' || %(device_session_id)s::text, %(endpoint)s::text
    ]) as locked (value)
    order by key
) keys
