-- Lock routes, so that later reads in this transaction see them unchanged.
-- Safe: Rows by primary key, in one order: of two transactions that lock many, one waits, and they
-- cannot deadlock.
select route_id
from dovecote.notification_routes
where route_id = any (array(select unnest(%(route_ids)s::uuid[])))
order by route_id
for update
