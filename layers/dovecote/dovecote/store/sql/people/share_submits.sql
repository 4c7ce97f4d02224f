-- Let no erasure come between the next statements of this transaction: see lock_submits.sql.
-- Safe: A shared lock, which only an erasure holds back.
select pg_advisory_xact_lock_shared(7061993142)
