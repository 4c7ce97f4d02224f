-- Read whether a submission is pending.
-- Safe: A plain read of the first entry of inbox_due.
select exists (select from dovecote.inbox where next_attempt_at is not null) as waiting
