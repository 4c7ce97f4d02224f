-- Lock a route, so that later reads in this transaction see it unchanged.
-- Safe: One row by primary key.
select route_id
from dovecote.notification_routes
where route_id = %(route_id)s
for update
