"""What a first send may submit."""

import json
from pathlib import Path
from typing import Any

import pytest

from operate import ROOT, OperatorError
from operate.checks import first_send


def written(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "event.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def an_event(**body: Any) -> dict[str, Any]:
    return {"version": "2.0", "requestContext": {}, "body": json.dumps(body)}


def test_the_email_of_events_is_sent_by_default_with_a_key_of_its_own() -> None:
    path = ROOT / "events" / "email.json"
    first, second = first_send.read_sample(path), first_send.read_sample(path)
    assert first["kind"] == "account.password_reset"
    assert first["idempotency_key"].startswith("doctor-")
    assert first["idempotency_key"] != second["idempotency_key"]


def test_a_bare_body_will_do_as_well(tmp_path: Path) -> None:
    body = {"kind": "k", "recipients": [{"email": "bounce@SIMULATOR.amazonses.com"}]}
    assert first_send.read_sample(written(tmp_path, body))["kind"] == "k"


@pytest.mark.parametrize(
    "recipients",
    [
        [{"email": "ann@example.com"}],
        [{"email": "success@simulator.amazonses.com"}, {"email": "ann@example.com"}],
        [{"email": "success@simulator.amazonses.com.example.com"}],
        [{"email": "success@sub.simulator.amazonses.com"}],
        [{"email": "simulator.amazonses.com@example.com"}],
        # nobody to see it arrive at
        [{"user_id": "u-1"}],
        [{"email": None}],
        [{"email": 7}],
    ],
)
def test_nobody_but_the_simulator_is_written_to(tmp_path: Path, recipients: Any) -> None:
    with pytest.raises(OperatorError, match="writes to nobody else") as caught:
        first_send.read_sample(written(tmp_path, an_event(kind="k", recipients=recipients)))
    assert "ann@" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "event.json cannot be read: The body is not JSON"),
        ("[]", "holds no notification"),
        ({**an_event(), "routeKey": "PUT /devices"}, "is an event of PUT /devices"),
        (an_event(kind="k"), "has no recipients"),
        (an_event(recipients=["a"]), "has no recipients"),
        ({"requestContext": {}, "body": "{"}, "event.json cannot be read: The body is not JSON"),
        ({"requestContext": {}}, "event.json cannot be read: The body is not JSON"),
    ],
)
def test_what_is_no_notification_is_said_to_be_none(
    tmp_path: Path, document: Any, said: str
) -> None:
    with pytest.raises(OperatorError, match=said):
        first_send.read_sample(written(tmp_path, document))


def test_a_file_that_is_not_there_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read: FileNotFoundError"):
        first_send.read_sample(tmp_path / "none.json")
