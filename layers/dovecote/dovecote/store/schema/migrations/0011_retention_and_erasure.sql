-- Retention and erasure.

-- Dead letters and rejections by their route: both go with it, and PostgreSQL looks for the first where a
-- route is deleted. Few routes have any.
create index notification_dead_letters_route on dovecote.notification_dead_letters (route_id);
create index email_rejections_route on dovecote.email_rejections (route_id);
