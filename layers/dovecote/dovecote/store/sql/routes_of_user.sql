-- Lock the oldest routes of a user, so many, and read what is to be known to erase them.
-- Safe: along the index of the user; each is read again once it is locked, so that one which a worker
-- claims, or another erasure takes, at the same time is seen as it is then.
select route_id, notification_id, position, user_id is null as nameless,
       lower(resolved_email collate "C") as address,
       status in ('pending', 'retrying') and (claim_token is not null or doubt_until is not null)
           as in_flight
from dovecote.notification_routes
where user_id = %(user_id)s
order by notification_id
limit %(most)s
for update
