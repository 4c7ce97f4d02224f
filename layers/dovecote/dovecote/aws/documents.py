"""What clients see of notifications, dead letters, devices and people, as JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:  # each function loads only the types of its own use cases
    from dovecote.core.dead_letter import OpenDeadLetter, RecordedRedrive, Redrive
    from dovecote.core.device import Device
    from dovecote.core.inbox import InboxEntry
    from dovecote.core.notification import Notification, Story
    from dovecote.core.route import Route
    from dovecote.people.erasure import Erased

Document = dict[str, Any]


def notification(stored: Notification) -> Document:
    """Return the document of a notification with its routes."""
    return {
        "notification_id": stored.notification_id,
        "kind": stored.kind,
        "idempotency_key": stored.idempotency_key,
        "created_at": stored.created_at,
        "deliver_at": stored.deliver_at,
        "routes": [route(one) for one in stored.routes],
    }


def refused(entry: InboxEntry) -> Document:
    """Return the document of a refused submission in SQL."""
    return msgspec.structs.asdict(entry)


def story(stored: Story) -> Document:
    """Return the document of a notification with the delivery and history of each route."""
    document = notification(stored.notification)
    for one, shown in zip(stored.notification.routes, document["routes"], strict=True):
        shown["delivery"] = one.delivery
        shown["history"] = stored.histories.get(one.route_id)
    return document


def route(stored: Route) -> Document:
    """Return the document of a route."""
    return {
        "route_id": stored.route_id,
        "channel": stored.channel,
        "status": stored.status,
        "attempts": stored.attempts,
        "next_attempt_at": stored.next_attempt_at,
        "waiting_for": stored.waiting_for,
        "waiting_since": stored.waiting_since,
        "last_attempt_at": stored.last_attempt_at,
        "last_error": stored.last_error,
        "expires_at": stored.expires_at,
        "published_at": stored.published_at,
        "provider_message_id": stored.provider_message_id,
        "user_id": stored.user_id,
        "device_session_id": stored.device_session_id,
        "address": stored.address,
    }


def dead_letter(letter: OpenDeadLetter) -> Document:
    """Return the document of a dead letter."""
    document = msgspec.structs.asdict(letter)
    del document["dead_letter_id"]
    return document


def redrive(stored: Redrive | RecordedRedrive) -> Document:
    """Return the document of a redrive."""
    document = msgspec.structs.asdict(stored)
    document["limit"] = document.pop("most")
    return document


def redrive_result(done: Redrive) -> Document:
    """Return the id and the counts of a redrive by filter."""
    return {
        "redrive_id": done.redrive_id,
        "matched": done.matched,
        "redriven": done.redriven,
        "refused": done.refused,
    }


def device(stored: Device) -> Document:
    """Return the document of a device, without its token and endpoint."""
    return {
        "user_id": stored.user_id,
        "device_session_id": stored.device_session_id,
        "platform": stored.platform,
    }


def erasure(result: Erased) -> Document:
    """Return the counts of an erasure; `remaining` is true where it must be repeated."""
    return {
        "erased": result.routes,
        "in_flight": result.in_flight,
        "devices": result.devices,
        "remaining": result.remaining,
    }
