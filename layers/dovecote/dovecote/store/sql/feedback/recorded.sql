-- Read the state of a locked route, and the records of its email and of one message.
-- Safe: Plain reads by primary keys and unique indexes. It runs after lock_route.sql, in a
-- statement of its own: one statement would not see what a worker wrote before it released the
-- route.
select r.status, r.claims,
       coalesce(r.doubt_until > clock_timestamp(), false) as held,
       coalesce(%(expires_at)s, r.expires_at) <= clock_timestamp() as expired,
       d.message_id is not null as accepted,
       exists (
           select from dovecote.email_rejections where message_id = %(message_id)s
       ) as rejected,
       exists (
           select from dovecote.notification_events e
           where e.route_id = r.route_id and e.event = 'erased'
       ) as erased
from dovecote.notification_routes r
left join dovecote.accepted_emails d using (route_id)
where r.route_id = %(route_id)s
