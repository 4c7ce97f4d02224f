-- Pause a resource for all workers, each time in a row for twice as long, up to a limit. It is as
-- long as before if only routes were refused that had been refused before.
-- Safe: One row. Of many workers with the same trouble the first one pauses; further calls during
-- the pause change nothing.
insert into dovecote.channel_state as s (resource, channel, paused_until, in_a_row, pauses, error)
values (%(resource)s, %(channel)s,
        clock_timestamp() + make_interval(secs => least(%(base)s::float8, %(most)s) * %(jitter)s),
        1, 1, %(error)s)
on conflict (resource) do update
set paused_until = clock_timestamp() + make_interval(
        secs => least(%(base)s * power(2, least(s.in_a_row, 30)
            - (s.in_a_row > 0 and not %(longer)s)::integer), %(most)s) * %(jitter)s),
    in_a_row = s.in_a_row + (s.in_a_row = 0 or %(longer)s)::integer,
    pauses = s.pauses + 1,
    error = excluded.error,
    trying_until = null,
    unreached = 0,
    unanswered = '{}',
    refused = '{}'
where s.paused_until is null or s.paused_until <= clock_timestamp()
returning resource, extract(epoch from paused_until - clock_timestamp())::float8 as seconds, in_a_row
