-- Give back reserved sends that were not used, unless another worker reserved after them.
-- Safe: One row; it stays as it is if the line has moved on.
update dovecote.channel_state
set next_slot_at = next_slot_at - make_interval(secs => %(seconds)s)
where resource = %(channel)s and next_slot_at = %(slots)s
