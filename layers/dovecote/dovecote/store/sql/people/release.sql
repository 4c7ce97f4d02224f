-- Make routes pending that were skipped because their address was suppressed, if they have not
-- expired. They are due now, or at the delivery time of their notification. Their history stays.
-- Safe: Along the key of the address's entries, then each route by primary key, which is locked and
-- read again before it changes.
with released as (
    update dovecote.notification_routes r
    set status = 'pending',
        lane = r.lane & ~1,
        next_attempt_at = greatest(clock_timestamp(), n.deliver_at)
    from dovecote.notifications n
    where r.route_id = any (array(
            select route_id from dovecote.address_routes
            where address = lower(%(email)s::text collate "C")
        ))
      and lower(r.resolved_email collate "C") = lower(%(email)s::text collate "C")
      and r.status = 'skipped'
      and starts_with(r.last_error, 'address is suppressed: ')
      and r.expires_at > clock_timestamp()
      and n.notification_id = r.notification_id
    returning r.route_id, r.claims
)
insert into dovecote.notification_events (route_id, claim, event)
select route_id, claims, 'released' from released
returning route_id
