-- Say which of these addresses, in lower case, are a user's own: no route of anybody else goes there.
-- Safe: plain reads along the keys of the addresses' entries, and of each route by primary key, no further
-- than the first of somebody else.
select address
from unnest(%(addresses)s::text[]) as erased (address)
where not exists (
    select from dovecote.address_routes e
    cross join lateral (
        select from dovecote.notification_routes
        where route_id = e.route_id
          and lower(resolved_email collate "C") = e.address
          and user_id is distinct from %(user_id)s
        limit 1
    ) r
    where e.address = erased.address collate "C"
    offset 0
)
