-- Give back the right to probe a resource: there was no route to probe it with.
-- Safe: One row.
update dovecote.channel_state
set trying_until = null
where resource = %(resource)s
