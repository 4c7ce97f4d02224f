-- Suppress the address of a route, which the caller need not know; an address that is suppressed already
-- keeps its reason.
-- Safe: one row by primary key; what the function does is in migrations/0008_feedback.sql.
select dovecote.suppress(%(route_id)s, %(message_id)s, %(suppression)s)
