-- Record routes that were refused through a resource, so that all workers count further ones in a
-- row, and write a later acceptance.
-- Safe: One row.
insert into dovecote.channel_state as s (resource, channel, refused, proven_at)
values (%(resource)s, %(channel)s, %(refused)s::uuid[],
        case when %(proven)s then clock_timestamp() end)
on conflict (resource) do update
set refused = array(select distinct unnest(s.refused || excluded.refused) limit 100),
    proven_at = coalesce(excluded.proven_at, s.proven_at)
