"""Redrives by id and by filter: what they ask of the API, print, and end with."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from operate.cli import options
from operate.cli.main import main
from tests.unit.operate.sites import AnApi

ROUTE, OTHER, NOTIFICATION, UNKNOWN = "r-1", "r-2", "n-1", "x-1"
DONE = {"redrive_id": "d-1", "matched": 3, "redriven": 3, "refused": 0}


class Terminal(io.StringIO):
    """A terminal that somebody typed into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> AnApi:
    one = AnApi()
    monkeypatch.setattr(options, "reach", lambda _: one.api)
    for route_id in (ROUTE, OTHER):
        path = f"POST /dead-letters/{route_id}/redrive"
        one.answers[path] = (202, {"notification_id": NOTIFICATION})
    routes = [("r-0", "published"), (ROUTE, "dead_lettered"), (OTHER, "dead_lettered")]
    one.answers[f"GET /notifications/{NOTIFICATION}"] = (
        200,
        {"routes": [{"route_id": name, "status": status} for name, status in routes]},
    )
    return one


def test_an_id_is_of_a_route_or_of_a_notification_with_dead_letters(
    stack: AnApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "--id", ROUTE]) == 0
    assert capsys.readouterr().out == "ok  route r-1 of notification n-1 is redriven\n"
    assert main(["redrive", "--id", NOTIFICATION, "--expires-at", "2999-01-01T00:00:00Z"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok  route r-1 of notification n-1 is redriven",
        "ok  route r-2 of notification n-1 is redriven",
    ]
    assert stack.sent[-1][1] == {"expires_at": "2999-01-01T00:00:00Z"}


def refuse(stack: AnApi, status: int, problem: Mapping[str, Any]) -> None:
    stack.answers[f"POST /dead-letters/{ROUTE}/redrive"] = (status, problem)


@pytest.mark.parametrize(
    ("status", "problem", "words"),
    [
        (409, {"detail": "The route is not a dead letter."},
         "409: The route is not a dead letter. — dovecote why --id"),
        (422, {"detail": "No.", "errors": [{"pointer": "/expires_at", "detail": "is over"}]},
         "422: No.; /expires_at is over — if it is still worth sending, give it a new end"),
    ],
)  # fmt: skip
def test_one_that_is_refused_does_not_stop_the_others(
    stack: AnApi,
    capsys: pytest.CaptureFixture[str],
    status: int,
    problem: Mapping[str, Any],
    words: str,
) -> None:
    refuse(stack, status, problem)
    assert main(["redrive", "--id", ROUTE, OTHER]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"!!  r-1: the API answered {words}")
    assert second.startswith("ok  route r-2")


def test_as_json_each_id_has_its_result(stack: AnApi, capsys: pytest.CaptureFixture[str]) -> None:
    stack.answers["GET /notifications/n-2"] = (200, {"routes": []})
    assert main(["redrive", "--json", "--id", ROUTE, UNKNOWN, "n-2"]) == 1
    assert json.loads(capsys.readouterr().out)["results"] == [
        {"id": ROUTE, "notification_id": NOTIFICATION, "redriven": True, "error": None},
        {"id": UNKNOWN, "notification_id": None, "redriven": False,
         "error": "there is no route or notification of this id"},
        {"id": "n-2", "notification_id": "n-2", "redriven": False,
         "error": "the notification has no dead letter"},
    ]  # fmt: skip


@pytest.mark.parametrize("status", [403, 500, 503])
def test_an_answer_about_no_route_ends_it(
    stack: AnApi, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    refuse(stack, status, {"detail": "No."})
    assert main(["redrive", "--id", ROUTE, OTHER]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("dovecote redrive: the API ")


def test_a_filter_is_sent_with_its_limits(stack: AnApi, capsys: pytest.CaptureFixture[str]) -> None:
    stack.answers["POST /dead-letters/redrive"] = (
        202, {**DONE, "matched": 9, "redriven": 5, "refused": 1},
    )  # fmt: skip
    words = ["--kind", "k", "--channel", "email", "--reason", "attempts", "--limit", "6"]
    since, until = "2026-11-23T14:00:00Z", "2026-11-23T18:00:00+01:00"
    times = ["--since", since, "--until", until, "--per-second", "0.5"]
    assert main(["redrive", "--yes", *words, *times]) == 1
    filter_ = {
        "kind": "k", "channel": "email", "reason": "attempts", "from": since, "to": until,
    }  # fmt: skip
    request = {"filter": filter_, "limit": 6, "per_second": 0.5, "expires_at": None}
    assert stack.sent == [("POST /dead-letters/redrive", request)]
    done, refused, left = capsys.readouterr().out.splitlines()
    assert done == "ok  5 dead letters are redriven, 0.5 a second: redrive d-1"
    assert refused.startswith("!!  1 are refused")
    assert left.startswith("--  3 more match")


def test_a_dry_run_counts_alone(stack: AnApi, capsys: pytest.CaptureFixture[str]) -> None:
    stack.answers["POST /dead-letters/redrive"] = (200, {"matched": 3})
    assert main(["redrive", "--all", "--dry-run"]) == 0
    assert capsys.readouterr().out == "3 dead letters match; nothing is changed.\n"
    assert main(["redrive", "--all", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"matched": 3}
    assert [body["dry_run"] for _, body in stack.sent] == [True, True]


@pytest.mark.parametrize(
    ("typed", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)]
)
def test_a_terminal_is_asked_with_the_count(
    stack: AnApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    code: int,
) -> None:
    stack.answers["POST /dead-letters/redrive"] = (202, DONE)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert main(["redrive", "--reason", "attempts", "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(
        "3 dead letters match. Redrive at most 1000, 10 a second? [y/N]\n"
    )
    assert [body.get("dry_run") for _, body in stack.sent] == [True, None][: 2 - code]
    assert captured.out == ("" if code else json.dumps(DONE, indent=2) + "\n")
