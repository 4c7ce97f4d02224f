-- Refuse a pending submission: keep its problem, delete its content and release its key.
-- Safe: One row by primary key; the function has the owner's rights and does nothing else.
select dovecote.refuse_submission(%(notification_id)s, %(problem)s) as refused
