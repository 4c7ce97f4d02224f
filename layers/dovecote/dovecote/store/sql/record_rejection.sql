-- Put on record that an email was accepted and then not sent.
-- Safe: as record_acceptances.sql; the acceptance of another message of the route stays, and what
-- is on record already is no news: a redriven route does not end by an event that comes twice.
insert into dovecote.email_deliveries as known (template_id, idempotency_key, message_id, rejected_at)
values (%(template_id)s, %(key)s, %(message_id)s, clock_timestamp())
on conflict (template_id, idempotency_key) do update
set rejected_at = excluded.rejected_at
where known.message_id = excluded.message_id and known.rejected_at is null
returning message_id
