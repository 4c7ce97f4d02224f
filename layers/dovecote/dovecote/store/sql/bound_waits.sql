-- Bound, for this transaction only, how long a statement may wait for a lock and run.
-- Safe: local to the transaction, so a pooler hands the connection on as it was.
select set_config('lock_timeout', %(lock_timeout)s, true),
       set_config('statement_timeout', %(statement_timeout)s, true)
