-- What functions/dispatch may do: claim routes, deliver them, write down what became of them.
-- It stores nothing new, and changes nothing of what is to be said and to whom.

grant select (notification_id, kind, idempotency_key, traceparent) on dovecote.notifications to {user};
grant select on dovecote.notification_payloads to {user};

-- Remove a secret payload once its routes have ended.
grant execute on function dovecote.remove_secrets to {user};

grant select, update (
    lane, status, attempts, claims, claim_token, leased_until, next_attempt_at, last_attempt_at,
    doubt_until, published_at, provider_message_id, last_error, waiting_since, waiting_for, refusals,
    refused_at
) on dovecote.notification_routes to {user};

grant select (route_id, dead_lettered_at, closed_at),
    insert (route_id, notification_id, reason, error, attempts)
    on dovecote.notification_dead_letters to {user};

grant select (route_id, event, at, attempt),
    insert (route_id, claim, event, attempt, reason, detail)
    on dovecote.notification_events to {user};

grant select (route_id, message_id), insert (route_id, message_id) on dovecote.email_deliveries to {user};
grant insert (route_id, message_id) on dovecote.further_acceptances to {user};
grant select (message_id) on dovecote.email_rejections to {user};
grant select (route_id, message_id) on dovecote.accepted_emails to {user};

grant select (person_hash, reason) on dovecote.suppressions to {user};

-- Its endpoint is what a device is sent to by; the token is SNS's to know.
grant select (user_id, device_session_id, endpoint, updated_at, dead_at), update (dead_at)
    on dovecote.push_devices to {user};

grant select (
        resource, channel,
        paused_until, trying_until, in_a_row, pauses, error, unreached, unanswered, refused, proven_at, rate,
        next_slot_at, throttled_requests, throttled_entries, slowed_to, slowed_at
    ),
    insert (resource, channel, paused_until, in_a_row, pauses, error, refused, proven_at),
    update (
        paused_until, trying_until, in_a_row, pauses, error, unreached, unanswered, rate,
        rate_asked_at, next_slot_at, slowed_to, slowed_at, throttled_requests, throttled_entries,
        refused, proven_at
    ) on dovecote.channel_state to {user};
grant execute on function dovecote.state_of_channel, dovecote.reserve_slots to {user};

-- While it works for a submit that called it, no other submit need call.
grant update (taken_until) on dovecote.handover to {user};

-- Skip the routes of a device that has died.
grant execute on function dovecote.skip_device to {user};

-- Count what was published.
grant execute on function dovecote.add_to_minute to {user};
