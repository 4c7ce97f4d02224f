-- Add a provider event to the record of an email, with the provider's time. In any order and number
-- of events the record is the same: the first delivery and complaint, the last delay, and the last
-- bounce, where a permanent one outweighs others.
-- Safe: One row by primary key, before the lock on its route, as in the finaliser.
update dovecote.email_deliveries
set delivered_at = case %(event)s when 'delivered'
        then least(delivered_at, %(at)s::timestamptz) else delivered_at end,
    complained_at = case %(event)s when 'complained'
        then least(complained_at, %(at)s::timestamptz) else complained_at end,
    delayed_at = case %(event)s when 'delayed'
        then greatest(delayed_at, %(at)s::timestamptz) else delayed_at end,
    (bounced_at, bounce_type) = (
        select at, type
        from (values (bounced_at, bounce_type), (%(at)s::timestamptz, %(bounce_type)s::text)) as told (at, type)
        where type is not null
        order by type = 'permanent' desc, at desc
        limit 1
    )
where route_id = %(route_id)s
