-- Lock the oldest routes of a user after a place, up to `most`, and read what their erasure needs.
-- The place makes an erasure linear: the index keeps the entries that it has deleted.
-- Safe: Along the key of the user's entries, so two erasures lock the same routes in one order.
-- Each route is read again once it is locked, so a claim or another erasure at the same time is
-- seen. A route that no longer belongs to the user is skipped and not counted.
select r.*
from (
    select user_id, notification_id, route_id
    from dovecote.user_routes
    where user_id = %(user_id)s
      and (notification_id, route_id) > (%(after_notification)s, %(after_route)s)
    order by notification_id, route_id
    offset 0
) e
cross join lateral (
    select route_id, notification_id, address_hash,
           status in ('pending', 'retrying') and (claim_token is not null or doubt_until is not null)
               as in_flight
    from dovecote.notification_routes
    where route_id = e.route_id and user_id = e.user_id
    limit 1
    for update
) r
limit %(most)s
