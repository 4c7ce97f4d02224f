-- What functions/api may do: show and cancel notifications, redrive dead letters, keep devices and
-- suppressions.
-- It reads no payload and no recipient's data, and nothing that it may change is sent.

grant select (notification_id, kind, idempotency_key, fingerprint, created_at, deliver_at)
    on dovecote.notifications to {user};

grant select (
        route_id, notification_id, position, channel, lane, status, user_id, device_session_id,
        resolved_email, attempts, max_attempts, claims, claim_token, next_attempt_at,
        last_attempt_at, last_error, expires_at, doubt_until, published_at, provider_message_id
    ),
    update (lane, status, attempts, next_attempt_at, expires_at, doubt_until)
    on dovecote.notification_routes to {user};

grant select (route_id, notification_id, closed_at), update (closed_at, closed_as)
    on dovecote.notification_dead_letters to {user};

grant select (route_id),
    insert (route_id, claim, event)
    on dovecote.notification_events to {user};

-- What is on record of an email is shown.
grant select on dovecote.accepted_emails to {user};
grant select (message_id) on dovecote.email_rejections to {user};

grant select (address_hash, reason, created_at),
    insert (address_hash, email, reason),
    update (reason),
    delete on dovecote.suppressions to {user};

grant select (user_id, device_session_id, platform, token, endpoint, created_at, dead_at),
    insert (user_id, device_session_id, platform, token, endpoint),
    update (platform, token, endpoint, updated_at, dead_at),
    delete on dovecote.push_devices to {user};
