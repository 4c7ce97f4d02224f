-- Keep the right to call dispatch for so many seconds, so that no submit calls it.
-- Safe: One row, locked for one statement.
update dovecote.handover
set taken_until = clock_timestamp() + make_interval(secs => %(seconds)s)
