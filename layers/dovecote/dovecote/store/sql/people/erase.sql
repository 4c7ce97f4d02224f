-- Erase the person of routes, and payloads that concern no other person.
-- Safe: lock_routes_of_user.sql or lock_routes_of_address.sql has locked the rows, so no worker
-- claims one meanwhile, and every earlier write is seen.
select dovecote.erase(%(route_ids)s)
