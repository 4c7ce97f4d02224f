-- Make routes of an address pending that were skipped because it was suppressed: those among the
-- next `most` after a place. Read the places, with whether each route was released.
-- Safe: The function reads along the key of the address's entries, then each route by primary key.
select notification_id, route_id, released
from dovecote.release(%(person_hash)s, %(after_notification)s, %(after_route)s, %(most)s)
