-- Read the kind of a route's notification.
-- Safe: A plain read by primary keys.
select n.kind
from dovecote.notification_routes r
join dovecote.notifications n using (notification_id)
where r.route_id = %(route_id)s
