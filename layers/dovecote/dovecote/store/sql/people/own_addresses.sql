-- Read which of these addresses, in lower case, only this user has: no route of another user goes
-- there.
-- Safe: Plain reads along the keys of the addresses' entries, then each route by primary key, up to
-- the first of another user.
select address
from unnest(%(addresses)s::text[]) as erased (address)
where not exists (
    select from dovecote.address_routes e
    cross join lateral (
        select from dovecote.notification_routes route
        where route_id = e.route_id
          and lower(route.address collate "C") = e.address
          and user_id is distinct from %(user_id)s
        limit 1
    ) r
    where e.address = erased.address collate "C"
    offset 0
)
