-- Read the redrives, the newest first, after a place.
-- Safe: A plain read along the primary key, whose ids are in the order of time.
select redrive_id, who, at, filter, per_second, most, expires_at, matched, redriven, refused
from dovecote.redrives
where %(after)s::uuid is null or redrive_id < %(after)s
order by redrive_id desc
limit %(limit)s
