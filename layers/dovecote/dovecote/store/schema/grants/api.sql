-- What functions/api may do: find, show and cancel notifications, find and redrive dead letters, keep
-- devices and suppressions, erase people, and say how all stands.
-- It reads no payload and no recipient's data, and what it changes of them it erases.

grant select (notification_id, kind, idempotency_key, fingerprint, created_at, deliver_at)
    on dovecote.notifications to {user};

grant select (
        route_id, notification_id, position, channel, lane, status, user_id, device_session_id,
        address, address_hash, attempts, max_attempts, claims, claim_token, leased_until,
        next_attempt_at, last_attempt_at, last_error, expires_at, doubt_until, published_at, provider_message_id,
        created_at, waiting_since, waiting_for
    ),
    -- To lock a row takes the right to change something of it.
    update (position)
    on dovecote.notification_routes to {user};

-- What became of a submission in SQL. It reads nothing of its content.
grant select (
        notification_id, kind, idempotency_key, created_at, refused_at, problem, next_attempt_at
    )
    on dovecote.inbox to {user};

-- Whose a route is.
grant select on dovecote.user_routes, dovecote.address_routes to {user};

-- Each change of a route, by a function with the owner's rights.
grant execute on function
    dovecote.cancel, dovecote.hold_payloads, dovecote.redrive, dovecote.release, dovecote.erase,
    dovecote.skip_device to {user};

grant select (
        dead_letter_id, route_id, notification_id, kind, channel, reason, error, attempts,
        dead_lettered_at, closed_at, redrive_id
    )
    on dovecote.notification_dead_letters to {user};

grant select (
        redrive_id, who, at, filter, per_second, most, expires_at, matched, redriven, refused
    ),
    insert (redrive_id, who, filter, per_second, most, expires_at, matched, redriven, refused),
    update (redriven, refused)
    on dovecote.redrives to {user};

grant select (route_id, claim, event, at, attempt, reason, detail, message_id)
    on dovecote.notification_events to {user};

-- What is on record of an email is shown.
grant select on dovecote.accepted_emails to {user};

grant select (person_hash, reason, created_at),
    insert (person_hash, address, reason),
    update (address, reason, route_id, message_id),
    delete on dovecote.suppressions to {user};

grant select (
        user_id, device_session_id, platform, token, endpoint, created_at, updated_at, dead_at
    ),
    insert (user_id, device_session_id, platform, token, endpoint),
    update (platform, token, endpoint, updated_at, dead_at),
    delete on dovecote.push_devices to {user};

-- Endpoints that are still to be deleted at SNS.
grant select (retired_endpoint_id, user_id, device_session_id, endpoint),
    insert (user_id, device_session_id, endpoint),
    delete on dovecote.retired_endpoints to {user};

grant select (resource, channel, paused_until, trying_until, in_a_row, error)
    on dovecote.channel_state to {user};

-- The counts of the last hour.
grant select (minute, published, failed, dead_lettered) on dovecote.minutes to {user};
