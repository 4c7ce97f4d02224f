-- Remove the secret payloads of these routes whose notifications have no live route left.
-- Safe: As purge/remove_payloads.sql, after the commit of what ended the routes: of two workers
-- that end the last routes of a notification the later one sees both ends.
select dovecote.remove_secrets(%(route_ids)s)
