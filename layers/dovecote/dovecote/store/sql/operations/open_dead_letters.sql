-- Count the open dead letters by reason, the newest ones up to `most` in total.
-- Safe: A plain read along their index.
select reason, count(*)::integer as open
from (
    select reason
    from dovecote.notification_dead_letters
    where closed_at is null
    order by dead_lettered_at desc
    limit %(most)s
) newest
group by reason
order by reason
