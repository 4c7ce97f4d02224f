-- Lock the oldest routes of a user, so many, and read what is to be known to erase them.
-- Safe: along the key of the user's entries, in which two who erase lock the same routes in one order. Each
-- is read again once it is locked, so that one which a worker claims, or another erasure takes, at the same
-- time is seen as it is then, and one that is the user's no more is passed by and not counted.
select r.*
from (
    select user_id, notification_id, route_id
    from dovecote.user_routes
    where user_id = %(user_id)s
    order by notification_id, route_id
    offset 0
) e
cross join lateral (
    select route_id, notification_id, position, user_id is null as nameless,
           lower(resolved_email collate "C") as address,
           status in ('pending', 'retrying') and (claim_token is not null or doubt_until is not null)
               as in_flight
    from dovecote.notification_routes
    where route_id = e.route_id and user_id = e.user_id
    limit 1
    for update
) r
limit %(most)s
