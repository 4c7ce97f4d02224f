-- Read for which numbers of days payloads are kept: -1 for the setting, and the numbers in their index.
-- Safe: One probe of the index for each number, of which there are a few.
with recursive found (days) as (
    select -1::smallint
    union all
    select (
        select payload_days from dovecote.notification_payloads
        where payload_days > found.days and payload_days >= 0
        order by payload_days
        limit 1
    )
    from found
    where found.days is not null
)
select days from found where days is not null
