"""The work that a notification causes is bounded, and does not hurt those that come with it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.errors import StoreUnavailable
from dovecote.store.database import Database
from dovecote.submit import build_notification, checking, submission
from local.provider import Running
from tests.canary import CANARY
from tests.catalogs import write_catalog
from tests.functions import Answer, Functions, environment, run_functions
from tests.sending import recipient

Connection = psycopg.Connection[Any]
KIB = 1024
ZEROS = {"x": [0] * 31_000}
ITEMS = {"properties": {"x": {"type": "array", "items": {"type": "integer"}}}}
KINDS: dict[str, dict[str, Any]] = {
    "of.members": {**ITEMS, "required": ["x"], "maxProperties": 5},
    "of.all": {"allOf": [ITEMS]},
    "of.none": {"additionalProperties": False, "properties": {"a": {}}},
    "of.text": {},
}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write_catalog(tmp_path, KINDS)


@pytest.fixture
def submitting(database_url: str, provider: Running, catalog: Path) -> Iterator[Functions]:
    values = environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    with run_functions(values) as wired:
        yield wired


def body(kind: str, key: str = "key", **members: Any) -> dict[str, Any]:
    everybody = [recipient(n, data={"a": n}) for n in range(1000)]
    return {
        "kind": kind,
        "idempotency_key": key,
        "payload": ZEROS,
        "recipients": everybody,
    } | members


def light(key: str) -> dict[str, Any]:
    return body("of.text", key, payload={}, recipients=[recipient()])


def text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def timed(call: Callable[[], Answer]) -> tuple[float, Answer]:
    """Return how many seconds a call took, and its answer."""
    began = time.monotonic()
    answer = call()
    return time.monotonic() - began, answer


def routes(connection: Connection) -> int:
    row = connection.execute("select count(*) from dovecote.notification_routes").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.timed
@pytest.mark.parametrize(
    "members",
    [{"data": {"a": 1}}, {"locale": "de"}, {"data": {"x": 1}}, {"data": {"b": [1]}}],
    ids=str,
)
def test_a_fault_of_the_shared_payload_is_told_once(
    submitting: Functions, members: dict[str, Any]
) -> None:
    everybody = [recipient(n, **members) for n in range(1000)]
    seconds, answer = timed(lambda: submitting.post(text(body("of.none", recipients=everybody))))
    assert answer.status in (413, 422)
    assert len(answer.body.get("errors", ())) <= 100
    assert seconds < 4


@pytest.mark.timed
def test_no_more_than_100_faults_are_looked_for(submitting: Functions) -> None:
    wrong = [recipient(n, data={"x": str(n)}) for n in range(1000)]
    one = body("of.members", payload={"y": "z" * 60_000}, recipients=wrong)
    seconds, answer = timed(lambda: submitting.post(text(one)))
    assert (answer.status, seconds < 4) == (422, True)
    assert 0 < len(answer.body["errors"]) <= 100


def test_a_slow_schema_ends_in_time(
    submitting: Functions, monkeypatch: pytest.MonkeyPatch, connection: Connection
) -> None:
    monkeypatch.setattr(checking, "MOST_SECONDS", 0.0)
    answer = submitting.post(text(body("of.all")))
    assert answer.status == 413
    assert "0 seconds of work" in answer.body["detail"]
    assert routes(connection) == 0


def test_one_heavy_message_does_not_bring_the_others_back(
    submitting: Functions, connection: Connection
) -> None:
    refused = body("of.none", "refused")
    bodies = [light("a"), refused, *(light(key) for key in "bcdefghi")]
    answer = submitting.submit_messages(*(text(one).decode() for one in bodies))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert routes(connection) == 9


# What our own work takes is not the database's fault.


def test_time_in_our_own_work_is_not_taken_for_a_database_out_of_reach(
    submitting: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = build_notification.BuildNotification.__call__

    def slow(self: build_notification.BuildNotification, *given: Any, **more: Any) -> Any:
        time.sleep(1.0)
        return real(self, *given, **more)

    monkeypatch.setattr("dovecote.submit.submit.ANSWER_SECONDS", 0.9)
    monkeypatch.setattr(build_notification.BuildNotification, "__call__", slow)
    assert submitting.post(light("slow")).status == 202
    answer = submitting.post_batch([light("a"), light("b")])
    assert [result["status"] for result in answer.body["results"]] == [202, 202]


def test_a_statement_that_takes_too_long_does_not_hurt_the_others(
    submitting: Functions, connection: Connection
) -> None:
    connection.execute(
        "create function dovecote.stall() returns trigger language plpgsql as $$ begin"
        " if new.idempotency_key = 'slow' then perform pg_sleep(30); end if; return new; end $$"
    )
    connection.execute(
        "create trigger stall before insert on dovecote.notifications"
        " for each row execute function dovecote.stall()"
    )
    answer = submitting.post_batch([light("a"), light("slow"), light("b")])
    assert [result["status"] for result in answer.body["results"]] == [202, 503, 202]


@pytest.mark.timed
def test_only_time_in_the_database_counts_towards_its_bound(database: Database) -> None:
    def sleep(seconds: float) -> None:
        database.ask(lambda connection: connection.execute("select pg_sleep(%s)", (seconds,)))

    with database.spending(0.8):
        for _ in range(2):
            sleep(0.3)
            time.sleep(0.3)  # our own work
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            sleep(5)
        assert time.monotonic() - began < 1
    sleep(0.3)


@pytest.mark.parametrize("error", [RecursionError(CANARY), OverflowError(CANARY), MemoryError()])
def test_what_cannot_be_read_for_any_reason_is_its_own_problem(
    submitting: Functions,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    real = submission.digest

    def raising(raw: Any, deliver_at: Any) -> str:
        if raw["idempotency_key"] == "bad":
            raise error
        return real(raw, deliver_at)

    monkeypatch.setattr(submission, "digest", raising)
    batch = [light("a"), light("bad"), light("b")]
    answer = submitting.post_batch(batch)
    assert [result["status"] for result in answer.body["results"]] == [202, 500, 202]
    answered = submitting.submit_messages(*(text(one).decode() for one in batch))
    assert answered == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert routes(connection) == 2
