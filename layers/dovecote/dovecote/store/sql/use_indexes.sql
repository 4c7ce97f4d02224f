-- Let what follows in this transaction look rows up by indexes, whatever is known of the tables.
-- Safe: it ends with the transaction.
select set_config('enable_seqscan', 'off', true)
