-- Expand scheduled routes; return the channels of the routes that are due now.
-- Safe: lock_scheduled.sql has locked the routes in this transaction. The function has the owner's
-- rights, and changes no other routes. schema/migrations/0008_scheduled.sql has its body.
select channel from dovecote.expand(%(expanded)s::json) as due (channel)
