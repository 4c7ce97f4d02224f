"""A route's story, from what the database and the provider tell."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.page.story import story
from local.provider import Attempt

BEGAN = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ID = "11111111-1111-1111-1111-111111111111"


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def route(status: str, **values: Any) -> dict[str, Any]:
    blank = {
        "channel": "email", "target": "address", "address": "ann@example.com",
        "created_at": BEGAN, "published_at": None, "provider_message_id": None, "attempts": 1,
        "last_error": None, "reason": None, "dead_lettered_at": None, "claimed": False,
        "leased_until": None, "next_attempt_at": None,
    }  # fmt: skip
    return {**blank, "status": status, **values}


def attempt(seconds: float, outcome: str, message_id: str | None = None) -> Attempt:
    return Attempt(
        sequence=1, time=at(seconds).timestamp(), service="ses", operation="SendEmail",
        target="ann@example.com", tags={}, outcome=outcome, message_id=message_id, route_id=ID,
    )  # fmt: skip


def failure(seconds: float, number: int) -> dict[str, Any]:
    return {"at": at(seconds), "attempt": number, "detail": "Throttling (429)"}


def test_attempts_and_waits_come_in_the_order_in_which_they_happened() -> None:
    told = story(
        route("published", published_at=at(2), provider_message_id="m1", attempts=2),
        [attempt(0.1, "TooManyRequestsException"), attempt(1.9, "accepted", "m1")],
        [failure(0.2, 1)],
    )
    assert [event["title"] for event in told] == [
        "Stored",
        "Send 1: SES refused it: TooManyRequestsException",
        "Attempt 1 failed",
        "Send 2: SES accepted it",
        "Published",
    ]
    assert told[2]["wait"] == pytest.approx(1.7)
    assert told[-1]["detail"] == "On attempt 2"


def test_an_acceptance_that_dovecote_did_not_hear_of_is_in_doubt() -> None:
    told = story(
        route("published", published_at=at(9), provider_message_id="m2"),
        [attempt(0.1, "accepted", "m1"), attempt(8.9, "accepted", "m2")],
        [],
    )
    assert (told[1]["tone"], told[2]["tone"]) == ("doubt", "good")
    assert "did not hear of it" in told[1]["detail"]


def test_a_dead_letter_ends_with_its_reason_and_last_error() -> None:
    values = {"reason": "attempts", "dead_lettered_at": at(5), "last_error": "no"}
    told = story(route("dead_lettered", **values), [attempt(0.1, "closed")], [])
    assert told[-1]["title"] == "Dead letter: attempts"
    assert told[-1]["detail"] == "All its attempts were used up."
    assert told[-1]["error"] == "no"


def test_a_live_route_ends_with_what_it_waits_for() -> None:
    waiting = story(route("retrying", next_attempt_at=at(3)), [], [])
    held = story(route("pending", claimed=True, leased_until=at(4)), [], [])
    assert (waiting[-1]["title"], waiting[-1]["until"]) == ("Waits for dispatch", at(3))
    assert (held[-1]["title"], held[-1]["until"]) == ("A worker holds it", at(4))


def test_skipped_and_cancelled_routes_say_so() -> None:
    assert story(route("skipped", last_error="no device"), [], [])[-1]["detail"] == "no device"
    assert story(route("cancelled"), [], [])[-1]["title"] == "Cancelled"


def test_a_route_that_is_not_tried_again_yet_waits_until_it_is_due() -> None:
    waiting = route("retrying", next_attempt_at=at(3))
    told = story(waiting, [attempt(0.1, "TooManyRequestsException")], [failure(0.2, 1)])
    assert told[2]["wait"] == pytest.approx(2.8)
    assert told[2]["detail"] == "Throttling (429)"
