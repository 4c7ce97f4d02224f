-- Make dead letters pending and close them; return their notifications.
-- Safe: The function changes rows by primary key, which lock_routes.sql has locked.
select notification_id
from dovecote.redrive(
    %(route_ids)s, %(wait)s, %(spacing)s, %(expires_at)s, %(redrive_id)s
) as redriven (notification_id)
