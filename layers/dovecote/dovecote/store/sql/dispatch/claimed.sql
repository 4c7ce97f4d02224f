-- Read what a claim returns: the routes in the CTE `claimed`, their notifications, the endpoints of
-- their devices, and why their addresses are suppressed. `own_refusal` tells whether a route was
-- accepted through the same resource after this route was refused. Follows each claim;
-- PostgresClaimed reads the columns by the names of Claim's fields.
-- Safe: Plain reads by primary key. A deleted or dead device leaves its endpoint NULL. Without a
-- device or an address nothing is looked up. A payload that was removed is an empty text.
select r.route_id, r.channel, r.target, n.kind, n.idempotency_key, coalesce(p.payload, '') as payload,
       n.traceparent, r.user_id, r.device_session_id, r.address, d.endpoint, r.locale, r.data,
       r.attempts, r.effective_max_attempts as max_attempts, r.claims, r.counted, r.lapsed, r.in_doubt, r.expires_in,
       r.lane, date_part('epoch', r.next_attempt_at) as due,
       p.payload_days is not distinct from 0 as secret,
       case when r.address_hash is not null then (
           select reason from dovecote.suppressions
           where person_hash = r.address_hash
       ) end as suppressed, coalesce(r.refusals, 0) as refusals,
       case when r.refusals > 0 then coalesce((
           select proven_at > r.refused_at from dovecote.channel_state where resource = r.waiting_for
       ), false) else r.refusals is not null end as own_refusal
from claimed r
cross join lateral (
    select kind, idempotency_key, traceparent
    from dovecote.notifications
    where notification_id = r.notification_id
    limit 1
) n
left join lateral (
    select payload, payload_days
    from dovecote.notification_payloads
    where notification_id = r.notification_id
    limit 1
) p on true
left join lateral (
    select endpoint from dovecote.push_devices
    where r.device_session_id is not null
      and user_id = r.user_id and device_session_id = r.device_session_id and dead_at is null
    limit 1
) d on true
