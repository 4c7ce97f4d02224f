-- Give back reserved sends that were not used, where nobody has reserved after them.
-- Safe: one row; it is left alone where the line has moved on.
update dovecote.channel_state
set next_slot_at = next_slot_at - make_interval(secs => %(seconds)s)
where resource = %(channel)s and next_slot_at = %(slots)s
