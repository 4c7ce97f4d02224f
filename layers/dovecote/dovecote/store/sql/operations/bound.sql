-- Bound the time of the following statements in this transaction.
-- Safe: It ends with the transaction, or with its savepoint.
select set_config('statement_timeout', (%(milliseconds)s::integer)::text, true)
