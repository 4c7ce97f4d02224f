-- Lock a route, and read how it stands.
-- Safe: one row by primary key, in a transaction of its own.
select r.status, r.claims, r.provider_message_id,
       coalesce(r.doubt_until > clock_timestamp(), false) as held,
       coalesce(%(expires_at)s, r.expires_at) <= clock_timestamp() as expired,
       d.message_id as recorded_message_id,
       d.rejected_at is not null as rejected
from dovecote.notification_routes r
join dovecote.notifications n using (notification_id)
left join dovecote.email_deliveries d
  on d.template_id = n.kind and d.idempotency_key = r.route_id::text
where r.route_id = %(route_id)s
for update of r
