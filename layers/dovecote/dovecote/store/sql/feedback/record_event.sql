-- Record a provider event of a send, with the provider's time. A repeated event is one row.
-- Safe: One row by primary key; lock_route.sql has locked its route.
insert into dovecote.notification_events (route_id, claim, event, at, reason, message_id)
values (%(route_id)s, %(claim)s, %(event)s, %(at)s, %(reason)s, %(message_id)s)
on conflict do nothing
returning route_id
