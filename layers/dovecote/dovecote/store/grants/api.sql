-- What functions/api may do: show and cancel notifications, redrive dead letters, keep devices, erase
-- people. It reads no payload and no recipient's data, and what it changes of them it erases.

grant select (notification_id, kind, idempotency_key, fingerprint, created_at, deliver_at),
    update (payload)
    on dovecote.notifications to {user};

grant select (
        route_id, notification_id, position, channel, lane, status, user_id, device_session_id,
        resolved_email, attempts, max_attempts, claims, claim_token, next_attempt_at,
        last_attempt_at, last_error, expires_at, doubt_until, published_at, provider_message_id
    ),
    update (
        lane, status, attempts, next_attempt_at, expires_at, doubt_until, user_id, device_session_id,
        resolved_email, locale, data, last_error
    )
    on dovecote.notification_routes to {user};

grant select (route_id, notification_id, error, closed_at), update (error, closed_at, closed_as)
    on dovecote.notification_dead_letters to {user};

grant select (route_id, event, detail),
    insert (route_id, claim, event),
    update (detail)
    on dovecote.notification_events to {user};

-- What is on record of an email bars its redrive.
grant select (template_id, idempotency_key, message_id) on dovecote.email_deliveries to {user};
grant select (message_id) on dovecote.email_rejections to {user};

grant select (user_id, device_session_id, platform, token, endpoint, created_at, dead_at),
    insert (user_id, device_session_id, platform, token, endpoint),
    update (platform, token, endpoint, updated_at, dead_at),
    delete on dovecote.push_devices to {user};

-- Addresses that were erased are suppressed.
grant select (key), insert (key, reason), update (email, reason, route_id, message_id)
    on dovecote.suppressions to {user};
