-- Keep the handover for so many seconds, or give it back a little later: nobody calls meanwhile.
-- Safe: one row, locked for one statement.
update dovecote.handover
set taken_until = clock_timestamp() + make_interval(secs => %(seconds)s)
