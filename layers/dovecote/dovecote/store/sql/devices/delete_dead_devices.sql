-- Delete up to `most` devices that have been dead for `days`.
-- Safe: The function waits for no lock; schema/migrations/0003_push.sql has its body.
select from dovecote.delete_dead_devices(%(days)s, %(most)s)
