-- Read which of these addresses only this user has: no route of another user goes there.
-- Safe: Plain reads along the keys of the addresses' entries, then each route by primary key, up to
-- the first of another user. lock_submits.sql comes before it in the same transaction.
select hash
from unnest(%(hashes)s::bytea[]) as erased (hash)
where not exists (
    select from dovecote.address_routes e
    cross join lateral (
        select from dovecote.notification_routes route
        where route_id = e.route_id
          and route.address_hash = e.address_hash
          and user_id is distinct from %(user_id)s
        limit 1
    ) r
    where e.address_hash = erased.hash
    offset 0
)
