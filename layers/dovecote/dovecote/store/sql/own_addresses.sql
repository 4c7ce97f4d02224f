-- Say which of these addresses, in lower case, are a user's own: no route of anybody else goes there.
-- Safe: plain reads along the index of the address, no further than the first of somebody else.
select address
from unnest(%(addresses)s::text[]) as erased (address)
where not exists (
    select from dovecote.notification_routes r
    where r.resolved_email is not null
      and lower(r.resolved_email collate "C") = address
      and r.user_id is distinct from %(user_id)s
    offset 0
)
