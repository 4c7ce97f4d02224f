-- Lock the oldest routes to an address after a place, up to `most`, and read what their erasure
-- needs.
-- Safe: As lock_routes_of_user.sql, along the key of the address's entries.
select r.*
from (
    select address, notification_id, route_id
    from dovecote.address_routes
    where address = lower(%(address)s::text collate "C")
      and (notification_id, route_id) > (%(after_notification)s, %(after_route)s)
    order by notification_id, route_id
    offset 0
) e
cross join lateral (
    select route_id, notification_id,
           lower(route.address collate "C") as address,
           status in ('pending', 'retrying') and (claim_token is not null or doubt_until is not null)
               as in_flight
    from dovecote.notification_routes route
    where route_id = e.route_id and lower(route.address collate "C") = e.address
    limit 1
    for update
) r
limit %(most)s
