-- Write on the record of an email what the provider told of it, by the provider's clock.
-- Safe: one row along the unique index, before its route is locked, as finalisers do. In whatever order
-- and however often events come, the record is the same: the first delivery and complaint, the last delay,
-- the last bounce, and a permanent one outweighs others.
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
where template_id = %(template_id)s and idempotency_key = %(key)s
