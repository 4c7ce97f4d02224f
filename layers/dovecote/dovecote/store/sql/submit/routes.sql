-- Read the routes of a notification in the order of their submission.
-- Safe: A plain read along the index of the notification.
select route_id, channel, status, user_id, device_session_id, address, attempts,
       max_attempts, next_attempt_at, last_attempt_at, last_error, expires_at, published_at,
       provider_message_id, waiting_for, waiting_since
from dovecote.notification_routes
where notification_id = %(notification_id)s
order by position, route_id
