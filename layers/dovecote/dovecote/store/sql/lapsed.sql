-- Note that a claim ran out, with the number of that claim. Follows the claims that take such routes
-- over, which are the CTE `claimed`.
-- Safe: the routes are locked by it. One that was given back since is still the same lapse, and what
-- was noted of it last.
insert into dovecote.notification_events (route_id, claim, event, attempt)
select c.route_id, c.claims - 1, 'lapsed', c.attempts - c.counted::integer
from claimed c
left join lateral (
    select event, attempt
    from dovecote.notification_events
    where route_id = c.route_id
    order by at desc
    limit 1
) e on true
where c.ran_out
  and (e.event, e.attempt) is distinct from ('lapsed', c.attempts - c.counted::integer)
