-- Delete up to `most` rows of minutes that are older than a day; the overview shows an hour.
-- Safe: No connection writes to an earlier minute.
delete from dovecote.minutes
where (minute, writer) in (
    select minute, writer
    from dovecote.minutes
    where minute < clock_timestamp() - interval '1 day'
    order by minute
    limit %(most)s
)
