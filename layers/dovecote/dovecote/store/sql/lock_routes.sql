-- Lock routes, so that what is read of them after this stands still.
-- Safe: rows by primary key, in one order, so that of two who lock many one waits and no circle is
-- closed.
select route_id
from dovecote.notification_routes
where route_id = any (array(select unnest(%(route_ids)s::uuid[])))
order by route_id
for update
