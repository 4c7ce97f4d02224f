-- Read which of these routes a redrive has redriven: the answer to its own commit may have been
-- lost.
-- Safe: A plain read along the index of what redrives closed.
select route_id, notification_id
from dovecote.notification_dead_letters
where redrive_id = %(redrive_id)s
  and route_id = any (array(select unnest(%(route_ids)s::uuid[])))
