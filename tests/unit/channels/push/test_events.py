"""What platform applications tell of devices: which events mean that one is gone."""

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dovecote.feedback.record_feedback import FeedbackStore, RecordFeedback, Taken

ENDPOINT = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/3f08fd15-d349-3d82-b415-49df9ff9"


class Buried:
    """A store that remembers which devices it was to bury."""

    def __init__(self) -> None:
        self.devices: list[tuple[str, datetime]] = []

    def mark_device_dead(self, endpoint: str, reported_at: datetime) -> bool:
        self.devices.append((endpoint, reported_at))
        return True


def an_event(event_type: str = "DeliveryFailure", **more: Any) -> dict[str, Any]:
    """Return an event as SNS writes it to the topic of a platform application."""
    return {
        "EndpointArn": ENDPOINT,
        "EventType": event_type,
        "Resource": "arn:aws:sns:us-east-1:123456789012:app/GCM/shop",
        "Service": "SNS",
        "Time": "2026-11-24T12:25:22.787Z",
        **more,
    }


def take(event: dict[str, Any]) -> tuple[Taken, list[tuple[str, datetime]]]:
    store = Buried()
    return RecordFeedback(store=cast(FeedbackStore, store))(json.dumps(event)), store.devices


@pytest.mark.parametrize(
    "event",
    [
        an_event(FailureType="EndpointDisabled", DeliveryAttempts=1),
        an_event(FailureType="InvalidPlatformToken", FailureMessage="Platform token … not valid"),
        an_event(FailureType="EndpointNotFound"),
        an_event("EndpointDeleted"),
    ],
)
def test_a_device_that_no_push_can_reach_is_buried(event: dict[str, Any]) -> None:
    reported_at = datetime(2026, 11, 24, 12, 25, 22, 787000, tzinfo=UTC)
    assert take(event) == (Taken(settled=True), [(ENDPOINT, reported_at)])


@pytest.mark.parametrize(
    "event",
    [
        # the application's, or the message's
        an_event(FailureType="PlatformCredentialsInvalid"),
        an_event(FailureType="InvalidNotification"),
        an_event(FailureType="Throttled"),
        an_event(),
        # no failure at all
        an_event("EndpointCreated"),
        an_event("EndpointUpdated"),
    ],
)
def test_what_is_not_the_devices_fault_buries_nobody(event: dict[str, Any]) -> None:
    assert take(event) == (Taken(), [])
