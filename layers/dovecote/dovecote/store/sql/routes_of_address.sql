-- Lock the oldest routes to an address, so many, and read what is to be known to erase them.
-- Safe: as routes_of_user.sql, along the index of the address.
select route_id, notification_id, position, user_id is null as nameless,
       lower(resolved_email collate "C") as address,
       status in ('pending', 'retrying') and (claim_token is not null or doubt_until is not null)
           as in_flight
from dovecote.notification_routes
where resolved_email is not null
  and lower(resolved_email collate "C") = lower(%(address)s::text collate "C")
order by notification_id
limit %(most)s
for update
