-- Pause a resource for all workers, each time in a row for twice as long, within a limit; for as long as
-- before where only routes were refused that had been refused before.
-- Safe: one row. Of many workers that ran into the same trouble the first pauses; what others say
-- while it is paused changes nothing.
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
