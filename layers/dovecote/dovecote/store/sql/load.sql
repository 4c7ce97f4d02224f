-- Read what the notifications of claimed routes say, and the endpoints of the devices they name.
-- Safe: a plain read by primary key; a device that is gone or dead leaves its endpoint NULL.
select r.route_id, n.notification_id, n.kind, n.idempotency_key, n.payload, n.traceparent,
       d.endpoint
from unnest(%(route_ids)s::uuid[], %(notification_ids)s::uuid[], %(user_ids)s::text[],
            %(device_session_ids)s::text[]) as r (route_id, notification_id, user_id, device_session_id)
cross join lateral (
    select notification_id, kind, idempotency_key, payload, traceparent
    from dovecote.notifications
    where notification_id = r.notification_id
    limit 1
) n
left join lateral (
    select endpoint from dovecote.push_devices
    where user_id = r.user_id and device_session_id = r.device_session_id and dead_at is null
    limit 1
) d on true
