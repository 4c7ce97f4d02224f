-- Make the planner use indexes in this transaction, whatever the statistics say.
-- Safe: It ends with the transaction.
select set_config('enable_seqscan', 'off', true)
