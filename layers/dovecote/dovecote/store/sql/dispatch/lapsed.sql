-- Record that a claim ran out, with the number of that claim. Follows the claims that take over
-- such routes, which are the CTE `claimed`.
-- Safe: The claim has locked the routes. A route that was given back since is still the same lapse,
-- and its last event shows that.
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
