-- Note what the provider told of a send, by the provider's clock: what is told twice is one row.
-- Safe: one row by primary key; its route is locked by lock_route.sql.
insert into dovecote.notification_events (route_id, claim, event, at, reason, message_id)
values (%(route_id)s, %(claim)s, %(event)s, %(at)s, %(reason)s, %(message_id)s)
on conflict do nothing
returning route_id
