-- Suppress the address of a route, which the caller need not know. A suppressed address keeps its
-- reason.
-- Safe: One row by primary key; schema/migrations/0002_email.sql has the function's body.
select dovecote.suppress(%(route_id)s, %(message_id)s, %(suppression)s)
