-- Publish the settings that submits in SQL need to make routes.
-- Safe: One row, in the transaction that publishes the kinds.
insert into dovecote.routing (allowed, redirect, topic)
values (%(allowed)s::text[], %(redirect)s, %(topic)s)
on conflict (one) do update
set allowed = excluded.allowed, redirect = excluded.redirect, topic = excluded.topic
