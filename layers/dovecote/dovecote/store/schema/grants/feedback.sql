-- What functions/feedback may do: settle routes by what SES told of their emails, note it, suppress their
-- addresses, and mark devices dead. It reads no payload and no address, and of a device no more than whose
-- it is and its endpoint.

grant select (
        route_id, notification_id, status, attempts, claims, last_error, expires_at, doubt_until
    ),
    update (
        status, claim_token, leased_until, next_attempt_at, doubt_until, published_at,
        provider_message_id, last_error, waiting_since, waiting_for, refusals, refused_at
    ) on dovecote.notification_routes to {user};

grant select (route_id, closed_at),
    insert (route_id, notification_id, reason, error, attempts),
    update (closed_at, closed_as) on dovecote.notification_dead_letters to {user};

grant select (route_id, event),
    insert (route_id, claim, event, at, attempt, reason, detail, message_id)
    on dovecote.notification_events to {user};

grant select,
    insert (route_id, message_id),
    update (delivered_at, bounced_at, bounce_type, complained_at, delayed_at)
    on dovecote.email_deliveries to {user};
grant insert (route_id, message_id) on dovecote.further_acceptances to {user};
grant select (message_id), insert (message_id, route_id) on dovecote.email_rejections to {user};
grant select (route_id, message_id) on dovecote.accepted_emails to {user};

-- The address of a route, which it cannot read.
grant execute on function dovecote.suppress to {user};

grant select (user_id, device_session_id, endpoint, dead_at, updated_at), update (dead_at)
    on dovecote.push_devices to {user};

-- Skip the routes of a device that has died.
grant execute on function dovecote.skip_device to {user};
