-- Count failures in a row on a channel: connections, and routes whose answer was lost.
-- Safe: One row.
update dovecote.channel_state
set unreached = unreached + %(unreached)s,
    unanswered = array(select distinct unnest(unanswered || %(unanswered)s::uuid[]) limit 100)
where resource = %(channel)s
