-- Read the state of locked routes at the time when the last of them would be due again. An accepted
-- email on record is no reason against a redrive: dispatch publishes it without a send.
-- Safe: As feedback/recorded.sql, after lock_routes.sql. The function keeps their payloads from
-- being removed before the routes are pending.
select r.route_id, r.status, r.claims,
       coalesce(r.doubt_until > clock_timestamp(), false) as held,
       coalesce(%(expires_at)s, r.expires_at)
           <= clock_timestamp() + make_interval(secs => %(wait)s) as expired,
       false as accepted,
       false as rejected,
       exists (
           select from dovecote.notification_events e
           where e.route_id = r.route_id and e.event = 'erased'
       ) as erased,
       r.route_id not in (select dovecote.hold_payloads(%(route_ids)s)) as removed
from dovecote.notification_routes r
where r.route_id = any (array(select unnest(%(route_ids)s::uuid[])))
