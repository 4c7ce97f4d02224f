"""The JSON documents of notifications, devices and people."""

import json
from typing import Any

from msgspec.structs import replace

from dovecote.aws import documents, responses
from dovecote.core.device import Device
from dovecote.core.notification import Cancellation, Story
from dovecote.core.route import EmailRecord, Event
from tests.unit.examples import NOON, NOTIFICATION, ROUTE, ROUTE_ID


def shown(document: Any) -> Any:
    """Return a document as a client reads it."""
    return json.loads(responses.ok(document)["body"])


def test_a_story_has_each_route_with_its_history() -> None:
    event = Event(
        at=NOON, event="failed", attempt=1, claim=1, reason=None, detail="e",
        message_id=None,
    )  # fmt: skip
    body = shown(documents.story(Story(notification=NOTIFICATION, histories={ROUTE_ID: [event]})))
    assert body["routes"][0]["history"] == [
        {
            "at": "2026-11-23T12:00:00Z",
            "event": "failed",
            "attempt": 1,
            "claim": 1,
            "reason": None,
            "detail": "e",
            "message_id": None,
        }
    ]
    assert (body["idempotency_key"], body["deliver_at"]) == ("k-1", None)
    assert {
        "route_id",
        "channel",
        "status",
        "attempts",
        "next_attempt_at",
        "user_id",
        "device_session_id",
        "address",
        "last_error",
        "last_attempt_at",
        "published_at",
        "provider_message_id",
        "expires_at",
    } <= set(body["routes"][0])
    assert "fingerprint" not in body


def test_a_notification_alone_has_no_histories() -> None:
    (route,) = shown(documents.notification(NOTIFICATION))["routes"]
    assert route["route_id"] == str(ROUTE_ID)
    assert "history" not in route


def test_a_cancellation_is_three_counts() -> None:
    result = Cancellation(cancelled=1, in_flight=2, ended=3)
    assert shown(result) == {"cancelled": 1, "in_flight": 2, "ended": 3}


def test_a_device_is_shown_without_token_and_endpoint() -> None:
    device = Device(
        user_id="u-1", device_session_id="d-1", platform="fcm", token="t-1", endpoint="e-1"
    )
    text = json.dumps(shown(documents.device(device)))
    assert "t-1" not in text
    assert "e-1" not in text


def test_the_recorded_events_of_an_email_are_shown_with_its_route() -> None:
    record = EmailRecord(
        accepted_at=NOON,
        message_id="m-1",
        delivered_at=None,
        bounced_at=NOON,
        bounce_type="permanent",
        complained_at=None,
        delayed_at=None,
    )
    notification = replace(NOTIFICATION, routes=[replace(ROUTE, delivery=record)])
    body = shown(documents.story(Story(notification=notification, histories={})))
    assert body["routes"][0]["delivery"] == {
        "accepted_at": "2026-11-23T12:00:00Z",
        "message_id": "m-1",
        "delivered_at": None,
        "bounced_at": "2026-11-23T12:00:00Z",
        "bounce_type": "permanent",
        "complained_at": None,
        "delayed_at": None,
    }
