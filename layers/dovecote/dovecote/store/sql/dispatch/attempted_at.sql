-- Read when the last attempt of a route began.
-- Safe: A plain read by primary key.
select last_attempt_at from dovecote.notification_routes where route_id = %(route_id)s
