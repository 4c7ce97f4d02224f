-- Take the acceptance of a message off the record: it was not sent.
-- Safe: one row along the unique index, with its route locked, so that the finaliser which may have
-- written it has committed.
delete from dovecote.email_deliveries
where template_id = %(template_id)s and idempotency_key = %(key)s and message_id = %(message_id)s
