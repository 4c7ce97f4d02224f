-- Put on record, once, that a message was accepted and then not sent.
-- Safe: One row along the index of messages. A second event of it finds the first, and nothing is
-- returned.
insert into dovecote.email_rejections (message_id, route_id)
values (%(message_id)s, %(route_id)s)
on conflict do nothing
returning message_id
