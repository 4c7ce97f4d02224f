-- Add the channels that are new, and the row of channel_state that each channel needs.
-- Safe: A handful of rows, under provision's lock. Rows that exist stay as they are.
with registered as (
    select name, number
    from unnest(%(names)s::text[], %(numbers)s::smallint[]) as channel (name, number)
), stored as (
    insert into dovecote.channels (name, number)
    select name, number from registered
    on conflict (name) do nothing
)
insert into dovecote.channel_state (resource, channel)
select name, name from registered
on conflict (resource) do nothing
