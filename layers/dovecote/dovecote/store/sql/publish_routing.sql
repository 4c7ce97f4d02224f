-- Publish what submits in SQL have to know of the environment to make routes.
-- Safe: one row, in the transaction that publishes the kinds.
insert into dovecote.routing (allowed, redirect, topic)
values (%(allowed)s::text[], %(redirect)s, %(topic)s)
on conflict (one) do update
set allowed = excluded.allowed, redirect = excluded.redirect, topic = excluded.topic
