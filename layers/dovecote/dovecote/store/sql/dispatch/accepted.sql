-- Read which of these routes an email provider accepted, by route id. Dispatch runs it before every
-- attempt after the first.
-- Safe: Plain reads along unique indexes.
select route_id, message_id
from unnest(%(route_ids)s::uuid[]) as asked (route_id)
join dovecote.accepted_emails using (route_id)
