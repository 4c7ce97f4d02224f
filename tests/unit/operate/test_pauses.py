"""What is paused, what waits behind it, and what to do."""

import json
from typing import Any

import pytest

from operate.aws import Answer
from operate.checks import pauses
from tests.unit.operate.sites import StubbedAws, a_site, a_stack, lines

PAUSE: dict[str, Any] = {
    "resource": "email/example.com",
    "channel": "email",
    "until": "2026-11-24T12:00:00Z",
    "in_a_row": 4,
    "error": "AccessDeniedException (403): not authorized",
    "waiting": 54,
    "oldest_waiting_seconds": 540.2,
}


def found(aws: StubbedAws, *paused: dict[str, Any]) -> list[str]:
    aws.pages = [Answer(status=200, body=json.dumps({"paused": paused}).encode())]
    return lines(pauses.paused(a_site(aws, stack=a_stack())))


def test_where_nothing_is_paused_that_is_one_good_line(aws: StubbedAws) -> None:
    assert found(aws) == ["ok  no channel, identity, application or topic is paused"]
    assert aws.asked == ["https://api.example.com/overview"]


@pytest.mark.parametrize(
    ("pause", "remedy"),
    [
        ({"error": "TooManyRequestsException (429): fast", "resource": "email"}, "at the provider"),
        ({"error": None}, "at the provider"),
    ],
)
def test_the_remedy_depends_on_the_error(
    aws: StubbedAws, pause: dict[str, Any], remedy: str
) -> None:
    (line,) = found(aws, PAUSE | pause)
    assert remedy in line


def test_each_pause_is_a_line_and_an_empty_one_says_so(aws: StubbedAws) -> None:
    first, second = found(aws, PAUSE, PAUSE | {"resource": "push", "waiting": 0})
    assert "54 routes wait behind it" in first
    assert "0 routes wait behind it —" in second


def test_credentials_that_the_api_refuses_are_reported(aws: StubbedAws) -> None:
    aws.pages = [Answer(status=403, body=b"{}")]
    (line,) = lines(pauses.paused(a_site(aws, stack=a_stack())))
    assert line.startswith("!!  pauses cannot be read: the API refuses these credentials (403)")
