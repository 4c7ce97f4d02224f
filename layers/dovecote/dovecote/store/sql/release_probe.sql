-- Give the right to try a resource back: there was nothing to try it with.
-- Safe: one row.
update dovecote.channel_state
set trying_until = null
where resource = %(resource)s
