-- Lock notifications whose routes were erased in this transaction.
-- Safe: By primary key, in one order. If two erasures each take a person of one notification, the
-- second waits here, and empty_payloads.sql then sees what the first has erased.
select notification_id
from dovecote.notifications
where notification_id = any (array(select unnest(%(notification_ids)s::uuid[])))
order by notification_id
for no key update
