-- Let what follows in this transaction take so long at most.
-- Safe: it ends with the transaction, and with the savepoint that it was said in.
select set_config('statement_timeout', (%(milliseconds)s::integer)::text, true)
