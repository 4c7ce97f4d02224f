-- Read a page of refused submissions, the newest first.
-- Safe: A plain read along the primary key, whose ids are in the order of time; pending submissions
-- in between are few.
select notification_id, kind, idempotency_key, created_at, refused_at, problem
from dovecote.inbox
where refused_at is not null
  and notification_id < coalesce(%(after)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
order by notification_id desc
limit %(limit)s
