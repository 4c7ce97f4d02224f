-- Delete a pending submission that repeats a stored notification.
-- Safe: One row by primary key; the function has the owner's rights and deletes nothing else.
select dovecote.take_submission(%(notification_id)s) as submitted_at
