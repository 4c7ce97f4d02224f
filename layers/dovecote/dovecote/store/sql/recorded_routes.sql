-- Read how locked routes stand, by the time that the last of them would be due again.
-- Safe: as recorded.sql, after lock_routes.sql. What is on record as accepted is no reason against a
-- redrive: dispatch publishes it without a send.
select r.route_id, r.status, r.claims,
       coalesce(r.doubt_until > clock_timestamp(), false) as held,
       coalesce(%(expires_at)s, r.expires_at)
           <= clock_timestamp() + make_interval(secs => %(wait)s) as expired,
       false as accepted,
       false as rejected,
       exists (
           select from dovecote.notification_events e
           where e.route_id = r.route_id and e.event = 'erased'
       ) as erased
from dovecote.notification_routes r
where r.route_id = any (array(select unnest(%(route_ids)s::uuid[])))
