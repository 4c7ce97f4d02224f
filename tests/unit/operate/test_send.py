"""A notification is sent from a file or the input, and followed; the exit code says how."""

import io
import json
from typing import Any

import pytest

from operate import ROOT
from operate.cli import options
from operate.cli.main import main
from tests.unit.operate.sites import AnApi, Clock

ID = "n-1"
EVENT = str(ROOT / "events" / "email.json")


def notification(*statuses: str) -> dict[str, Any]:
    routes = [
        {"route_id": f"r-{number}", "channel": "email", "status": status, "last_error": None}
        for number, status in enumerate(statuses, 1)
    ]
    return {"notification_id": ID, "kind": "k", "routes": routes}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> AnApi:
    one = AnApi()
    monkeypatch.setattr(options, "reach", lambda _: one.api)
    monkeypatch.setattr("operate.cli.send.Clock", Clock)
    return one


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_the_key_of_an_event_goes_into_the_body_and_the_option_comes_before_it(api: AnApi) -> None:
    api.answers["POST /notifications"] = (202, notification("published"))
    assert main(["send", EVENT]) == main(["send", EVENT, "--key", "mine"]) == 0
    (call, first), (_, second) = api.sent
    assert (call, first["kind"]) == ("POST /notifications", "account.password_reset")
    assert (first["idempotency_key"], second["idempotency_key"]) == ("reset-ann-1", "mine")


def test_the_input_is_sent_with_the_digits_that_it_has(
    api: AnApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers["POST /notifications"] = (202, notification("published"))
    type_in(monkeypatch, '{"kind": "k", "payload": {"n": 12.50, "m": 0.12345678901234567890}}')
    assert main(["send", "-", "--key", "k-1"]) == 0
    assert b'"n":12.50,"m":0.12345678901234567890' in api.bodies[0]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('{"kind": "k"}', 2, "the notification has no idempotency key: give one with --key"),
        ("{", 1, "the standard input cannot be read: The body is not JSON: "),
        ("[]", 1, "the standard input holds no notification: give the body of POST"),
        ('{"n": NaN}', 1, "the standard input cannot be read: The body holds NaN"),
        ('{"idempotency_key": "k"}', 1, "the API answered 422: No.; /kind unknown: correct the"),
    ],
)
def test_what_is_not_stored_says_why(
    api: AnApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    code: int,
    words: str,
) -> None:
    errors = [{"pointer": "/kind", "detail": "unknown"}]
    api.answers["POST /notifications"] = (422, {"detail": "No.", "errors": errors})
    type_in(monkeypatch, text)
    assert main(["send", "-"]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(f"dovecote send: {words}")
    assert captured.out == ""


def test_an_error_of_submit_names_its_log(api: AnApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers["POST /notifications"] = (503, {"detail": "Retry later."})
    assert main(["send", EVENT]) == 1
    assert capsys.readouterr().err == (
        "dovecote send: the API answered 503: Retry later.: look at the log of Submit\n"
    )


@pytest.mark.parametrize(
    ("statuses", "marks", "code"),
    [
        (["published", "skipped"], ["ok", "ok", "--"], 0),
        (["published", "dead_lettered"], ["ok", "ok", "!!"], 1),
        (["cancelled"], ["ok", "!!"], 1),
        (["retrying"], ["ok", "!!"], 1),  # two minutes later too
    ],
)
def test_a_wait_ends_with_the_routes(
    api: AnApi,
    capsys: pytest.CaptureFixture[str],
    statuses: list[str],
    marks: list[str],
    code: int,
) -> None:
    api.answers["POST /notifications"] = (202, notification("pending"))
    assert main(["send", EVENT]) == 0
    assert [line[:2] for line in capsys.readouterr().out.splitlines()] == ["ok", "--"]
    api.answers[f"GET /notifications/{ID}"] = (200, notification(*statuses))
    assert main(["send", EVENT, "--wait"]) == code
    assert [line[:2] for line in capsys.readouterr().out.splitlines()] == marks
    assert main(["send", EVENT, "--wait", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == notification(*statuses)
