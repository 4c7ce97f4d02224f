-- Put on record, once, that a message was accepted and then not sent.
-- Safe: one row along the index of messages; a second event of it finds the first and is no news.
insert into dovecote.email_rejections (message_id, route_id)
values (%(message_id)s, %(route_id)s)
on conflict do nothing
returning message_id
