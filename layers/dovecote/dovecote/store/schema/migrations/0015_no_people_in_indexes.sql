-- Entries for the routes that were there before migration 14. After it and not within it: a submit that was
-- under way in the function as it was is waited for here, and what it stored is seen. The lock is at once the
-- one that dropping an index takes: to ask for more while others wait is a deadlock.
lock table dovecote.notification_routes in access exclusive mode;

insert into dovecote.user_routes (user_id, notification_id, route_id)
select user_id, notification_id, route_id
from dovecote.notification_routes
where user_id is not null
order by 1, 2, 3
on conflict do nothing;

insert into dovecote.address_routes (address, notification_id, route_id)
select lower(resolved_email collate "C"), notification_id, route_id
from dovecote.notification_routes
where resolved_email is not null
order by 1, 2, 3
on conflict do nothing;

drop index dovecote.notification_routes_user;
drop index dovecote.notification_routes_email;
