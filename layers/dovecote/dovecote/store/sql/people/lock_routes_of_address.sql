-- Lock the oldest routes to an address after a place, up to `most`, and read what their erasure
-- needs.
-- Safe: As lock_routes_of_user.sql, along the key of the address's entries.
select r.*
from (
    select address_hash, notification_id, route_id
    from dovecote.address_routes
    where address_hash = %(person_hash)s
      and (notification_id, route_id) > (%(after_notification)s, %(after_route)s)
    order by notification_id, route_id
    offset 0
) e
cross join lateral (
    select route_id, notification_id, address_hash,
           status in ('pending', 'retrying') and (claim_token is not null or doubt_until is not null)
               as in_flight
    from dovecote.notification_routes route
    where route_id = e.route_id and route.address_hash = e.address_hash
    limit 1
    for update
) r
limit %(most)s
