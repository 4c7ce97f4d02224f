-- Read the records of the accepted messages of a notification, by route.
-- Safe: A plain read along the index of the notification, then each route's record by primary
-- key. It is separate from submit/routes.sql, which submit runs too: there it would cost more than
-- the routes.
select r.route_id, e.accepted_at, e.message_id, e.delivered_at, e.bounced_at, e.bounce_type,
       e.complained_at, e.delayed_at
from dovecote.notification_routes r
cross join lateral (
    select accepted_at, message_id, delivered_at, bounced_at, bounce_type, complained_at, delayed_at
    from dovecote.accepted_emails
    where route_id = r.route_id
    limit 1
) e
where r.notification_id = %(notification_id)s
