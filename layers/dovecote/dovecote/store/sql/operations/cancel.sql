-- Cancel the routes of a notification that are still to be sent and have no claim; return them.
-- Safe: The function locks each row and reads it again before it changes it, so a claim that comes
-- first keeps its route.
select route_id from dovecote.cancel(%(notification_id)s) as cancelled (route_id)
