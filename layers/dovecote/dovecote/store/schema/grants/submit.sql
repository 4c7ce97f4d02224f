-- What functions/submit may do: store notifications and their routes, and try the first at once.
-- It does not ask whether an email is on record as accepted: it tries what it has just stored.

grant execute on function dovecote.store_notification to {user};

-- Remove a secret payload once its routes have ended.
grant execute on function dovecote.remove_secrets to {user};

-- Answer a repeated submit.
grant select (notification_id, kind, idempotency_key, fingerprint, created_at, deliver_at)
    on dovecote.notifications to {user};

-- Expand or refuse submissions in SQL; only functions of the owner delete them.
grant select (
        notification_id, kind, idempotency_key, payload, recipients, deliver_at, traceparent, attempts,
        next_attempt_at, refused_at
    ),
    update (attempts, next_attempt_at)
    on dovecote.inbox to {user};
grant execute on function dovecote.take_submission, dovecote.refuse_submission to {user};

-- Expand scheduled routes to the devices of their users.
grant execute on function dovecote.expand to {user};

grant select (
    route_id, notification_id, position, channel, user_id, device_session_id, address, lane, status,
    max_attempts, attempts, claims, claim_token, next_attempt_at, last_attempt_at, doubt_until,
    waiting_since, waiting_for, refusals, refused_at, expires_at, published_at, provider_message_id, last_error
), update (
    lane, status, attempts, claim_token, leased_until, next_attempt_at, doubt_until, published_at,
    provider_message_id, last_error, waiting_since, waiting_for, refusals, refused_at
) on dovecote.notification_routes to {user};

grant select (route_id), insert (route_id, notification_id, reason, error, attempts)
    on dovecote.notification_dead_letters to {user};

grant select (route_id),
    insert (route_id, claim, event, attempt, reason, detail)
    on dovecote.notification_events to {user};

grant select (route_id, message_id), insert (route_id, message_id) on dovecote.email_deliveries to {user};
grant insert (route_id, message_id) on dovecote.further_acceptances to {user};
grant select (message_id) on dovecote.email_rejections to {user};

grant select (user_id, device_session_id, endpoint, created_at, updated_at, dead_at),
    update (dead_at) on dovecote.push_devices to {user};

-- Pauses and slots, but no rate: that is dispatch's to ask for.
grant select (
        resource,
        paused_until, trying_until, in_a_row, pauses, error, unreached, unanswered, refused, proven_at, rate,
        next_slot_at, throttled_requests, throttled_entries, slowed_to, slowed_at
    ),
    insert (resource, channel, paused_until, in_a_row, pauses, error, refused, proven_at),
    update (
        paused_until, trying_until, in_a_row, pauses, error, unreached, unanswered, next_slot_at,
        slowed_to, slowed_at, throttled_requests, throttled_entries, refused, proven_at
    ) on dovecote.channel_state to {user};
grant execute on function dovecote.state_of_channel, dovecote.reserve_slots to {user};

-- Whose it is to call dispatch for what is left.
grant select, update (taken_until) on dovecote.handover to {user};

-- Skip the routes of a device that has died.
grant execute on function dovecote.skip_device to {user};

-- Count what was published.
grant execute on function dovecote.add_to_minute to {user};
