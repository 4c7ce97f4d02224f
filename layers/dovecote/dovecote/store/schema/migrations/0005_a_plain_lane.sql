-- A plain lane. PostgreSQL computed the generated one anew, and copied the row for it, at each of the
-- two updates of a delivery. Who writes a status writes the lane; the constraint holds live routes to
-- it, and an ended one keeps the lane that it was last claimed from.

alter table dovecote.notification_routes alter column lane drop expression;

alter table dovecote.notification_routes
    add constraint notification_routes_lane check (
        status not in ('pending', 'retrying')
        or lane = (case channel when 'email' then 0 else 6 end)
            + priority * 2
            + (case status when 'retrying' then 1 else 0 end)
    );
