-- Make routes published, if they still carry the token. One JSON object has the message ids.
-- Safe: Locks only rows with this token, which no other worker has. The ids come from a subquery,
-- whose length the planner cannot see: for a long literal array it would scan a table that it
-- believes is empty.
update dovecote.notification_routes
set status = 'published',
    next_attempt_at = null,
    published_at = (select clock_timestamp()),
    provider_message_id = %(message_ids)s::jsonb ->> route_id::text,
    last_error = null,
    doubt_until = null,
    waiting_since = null,
    waiting_for = null,
    refusals = null,
    refused_at = null,
    claim_token = null,
    leased_until = null
where route_id = any (array(select jsonb_object_keys(%(message_ids)s::jsonb)::uuid))
  and claim_token = %(token)s
