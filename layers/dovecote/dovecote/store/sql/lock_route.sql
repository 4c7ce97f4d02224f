-- Lock a route, so that what is read of it after this stands still.
-- Safe: one row by primary key, in a transaction of its own.
select route_id
from dovecote.notification_routes
where route_id = %(route_id)s
for update
