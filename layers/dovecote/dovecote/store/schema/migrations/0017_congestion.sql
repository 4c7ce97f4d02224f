-- Congestion: isolated throttle answers slow nothing down, a share of them does.

alter table dovecote.channel_state
    -- Net refusals of requests and of entries of bulk requests, as congestion.py counts them.
    add column throttled_requests double precision not null default 0,
    add column throttled_entries double precision not null default 0;

comment on column dovecote.channel_state.slowed_to is
    'Sends per second that the provider took when it last refused a share of them; null: it never did';
comment on column dovecote.channel_state.slowed_at is
    'When that was; the pace since then follows from both (dovecote.pace_after)';

-- How long the pace stays below the rate that was last seen to work: the time of 100 sends, so that a
-- probe of the limit, which costs one to three refusals, comes at most once in 100 sends.
create function dovecote.steady_seconds(slowed_to double precision) returns double precision
    language sql immutable
    return least(12, greatest(3, 100 / slowed_to));

-- Sends per second, so many seconds after congestion: 95 % of what worked, rising to all of it while
-- steady; then a fifth more each second for three seconds; then twice as much each 1.5 seconds.
create function dovecote.pace_after(slowed_to double precision, seconds double precision)
    returns double precision
    language sql immutable
    return (
        select slowed_to * case
            when beyond < 0 then 0.95 + 0.05 * seconds / steady
            when beyond < 3 then 1 + 0.2 * beyond
            else 1.6 * power(2, least(30, (beyond - 3) / 1.5))
        end
        from (
            select steady, seconds - steady as beyond
            from (select dovecote.steady_seconds(slowed_to) as steady) s
        ) b
    );
