-- Remove payloads of notifications without a live route; return how many.
-- Safe: The function locks each payload, reads the routes again and waits for none of their locks.
select dovecote.remove_payloads(%(notification_ids)s) as payloads
