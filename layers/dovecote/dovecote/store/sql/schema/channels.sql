-- Read the channels that the database knows.
-- Safe: A plain read of a handful of rows, under provision's lock.
select name, number::integer from dovecote.channels
