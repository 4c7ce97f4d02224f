-- Give routes back that were claimed and not begun: the attempt is not counted.
-- Safe: as publish.sql. One whose lease had run out before goes back as that: what an earlier
-- worker may have sent is not forgotten, and it is claimed alone again.
update dovecote.notification_routes
set attempts = attempts - 1,
    claim_token = case when %(lapsed)s then claim_token end,
    leased_until = case when %(lapsed)s then clock_timestamp() end
where route_id = any (array(select unnest(%(route_ids)s::uuid[])))
  and claim_token = %(token)s
returning route_id
