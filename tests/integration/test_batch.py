"""Many notifications at once: each has a result of its own, and none hurts another."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from dovecote import channels
from dovecote.core.errors import StoreUnavailable
from dovecote.store.submit.submissions import PostgresSubmissions
from dovecote.submit import checking, submit
from dovecote.wiring import submit as wiring_submit
from local.provider import Fault, Running
from tests.builders import CHANNEL
from tests.functions import PROBLEM, Functions, environment, run_functions
from tests.integration.test_http import REFUSED, assert_problem, count
from tests.sending import channel_body, kind_of, order, recipient

Connection = psycopg.Connection[Any]


def good(key: str, **overrides: Any) -> dict[str, Any]:
    return channel_body(idempotency_key=key, **overrides)


def statuses(answer: Any) -> list[int]:
    assert answer.status == 200, answer.body
    return [result["status"] for result in answer.body["results"]]


def test_each_notification_is_stored_and_answered_in_order(
    functions: Functions, connection: Connection
) -> None:
    answer = functions.post_batch([good(f"key-{number}") for number in range(100)])
    assert statuses(answer) == [202] * 100
    assert {result["replayed"] for result in answer.body["results"]} == {False}
    told = [result["notification"] for result in answer.body["results"]]
    keys = [
        functions.call("GET", f"/notifications/{one['notification_id']}").body["idempotency_key"]
        for one in told
    ]
    assert keys == [f"key-{number}" for number in range(100)]
    assert count(connection) == 100


def test_a_result_is_what_the_notification_would_be_answered_alone(functions: Functions) -> None:
    (result,) = functions.post_batch([good("key-1")]).body["results"]
    alone = functions.post(good("key-1"))
    assert result == {"status": 202, "replayed": False, "notification": alone.body}
    (again,) = functions.post_batch([good("key-1")]).body["results"]
    assert again == {"status": 202, "replayed": True, "notification": alone.body}
    (refused,) = functions.post_batch([good("key-1", kind="order.lost")]).body["results"]
    assert refused == {
        "status": 422,
        "problem": functions.post(good("key-1", kind="order.lost")).body,
    }


AS_ONE_OF_MANY = {
    name: (body if isinstance(body, bytes) else json.dumps(body).encode(), status)
    for name, (body, status, _) in REFUSED.items()
    # With these the batch itself is no JSON, or too large.
    if name not in ("not JSON", "nothing", "100,000 brackets", "invalid UTF-8", "2 MiB")
}


@pytest.mark.parametrize(("item", "status"), AS_ONE_OF_MANY.values(), ids=AS_ONE_OF_MANY)
def test_one_that_is_no_good_does_not_hurt_the_others(
    functions: Functions, connection: Connection, item: bytes, status: int
) -> None:
    first, last = (json.dumps(good(key)).encode() for key in ("first", "last"))
    answer = functions.post_batch(b'{"notifications": [%b]}' % b",".join([first, item, last]))
    assert statuses(answer) == [202, status, 202]
    problem = answer.body["results"][1]["problem"]
    assert problem["status"] == status
    assert count(connection) == 2


def test_the_same_key_twice_is_a_replay_or_a_mismatch(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    other = good("key-1", recipients=[recipient(2)])
    answer = functions.post_batch([good("key-1"), good("key-1"), other])
    assert statuses(answer) == [202, 202, 422]
    first, again, _ = answer.body["results"]
    assert (first["replayed"], again["replayed"]) == (False, True)
    ids = {result["notification"]["notification_id"] for result in (first, again)}
    assert (len(ids), count(connection)) == (1, 1)
    assert len(provider.provider.ledger.accepted) == 1


ITEM = json.dumps(good("key")).encode()
BATCHES: dict[str, tuple[bytes, int, str | None]] = {
    "not JSON": (b"{", 400, None),
    "nothing": (b"", 400, None),
    "a list": (b"[]", 400, None),
    "one that is cut off": (b'{"notifications": [%b' % ITEM[:-1], 400, None),
    "100,000 brackets": (b'{"notifications": ' + b"[" * 100_000, 400, None),
    "NaN": (b"NaN", 400, None),
    "invalid UTF-8": (b'{"\xff": []}', 400, None),
    "its notifications twice": (
        b'{"notifications": [%b], "notifications": [%b]}' % (ITEM, ITEM), 400, None,
    ),
    "2 MiB": (b'{"notifications": ["%b"]}' % (b"x" * 2**21), 413, None),
    "101 of them": (b'{"notifications": [%b]}' % b",".join([b"{}"] * 101), 413, None),
    "no notifications": (b"{}", 422, "/notifications"),
    "none": (b'{"notifications": []}', 422, "/notifications"),
    "an object of them": (b'{"notifications": {}}', 422, "/notifications"),
    "null": (b'{"notifications": null}', 422, "/notifications"),
    "an unknown member": (b'{"notifications": [%b], "colour": 1}' % ITEM, 422, "/colour"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status", "where"), BATCHES.values(), ids=BATCHES)
def test_a_batch_that_cannot_be_taken_stores_nothing(
    functions: Functions, connection: Connection, body: bytes, status: int, where: str | None
) -> None:
    answer = functions.post_batch(body)
    assert_problem(answer, status)
    if where is not None:
        assert where in {error["pointer"] for error in answer.body["errors"]}
    assert count(connection) == 0


def test_the_first_routes_of_the_batch_as_a_whole_are_tried_at_once(
    functions: Functions, provider: Running
) -> None:
    answer = functions.post_batch([good(f"key-{number}") for number in range(5)])
    routes = [result["notification"]["routes"][0] for result in answer.body["results"]]
    assert [route["status"] for route in routes] == ["published"] * 2 + ["pending"] * 3
    assert len(provider.provider.ledger.accepted) == 2
    assert functions.dispatch()["published"] == 3


@pytest.mark.timed
def test_a_provider_that_stalls_costs_the_batch_one_budget(
    functions: Functions, provider: Running
) -> None:
    order(provider, Fault.STALL, seconds=20)
    started = time.monotonic()
    answer = functions.post_batch([good(f"key-{number}") for number in range(20)])
    assert time.monotonic() - started < 5
    assert statuses(answer) == [202] * 20


def test_what_is_tried_at_once_is_nobody_else_s_however_long_the_others_are_stored(
    functions: Functions, connection: Connection
) -> None:
    def leases(*_: Any, **__: Any) -> Any:
        query = "select extract(epoch from leased_until - created_at) from dovecote.{} limit 1"
        found = connection.execute(query.format("notification_routes").encode()).fetchone()
        seen.append(float((found or (0,))[0]))
        raise RuntimeError

    seen: list[float] = []
    wiring_submit.submit()._best_effort._deliver = leases  # type: ignore[assignment]
    functions.post(good("alone"))
    connection.execute("truncate dovecote.notification_routes cascade")
    functions.post_batch([good("key-1")])
    alone, batched = seen
    assert batched == alone + submit.STORING_SECONDS + checking.MOST_SECONDS


def test_a_direct_invocation_takes_the_same_batch(
    functions: Functions, connection: Connection
) -> None:
    answer = functions.invoke_submit({"notifications": [good("key-1"), {"kind": "order.shipped"}]})
    assert [result["status"] for result in answer["results"]] == [202, 400]
    assert functions.invoke_submit({"notifications": []})["status"] == 422
    assert count(connection) == 1


# A database that fails


@pytest.fixture
def unreachable(provider: Running, catalog_folder: Any) -> Iterator[Functions]:
    """The functions with a database that nobody listens for."""
    url = "postgresql://postgres@127.0.0.1:9/nowhere"
    with run_functions(environment(url, provider.url, catalog_folder)) as wired:
        yield wired


def test_a_database_out_of_reach_is_a_503_for_each_and_asked_once(
    unreachable: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = unreachable.post_batch([good("a"), {"kind": "order.shipped"}, good("b")])
    assert statuses(answer) == [503, 400, 503]
    assert answer.body["results"][0]["problem"]["title"] == "Service Unavailable"
    assert capsys.readouterr().out.count('"message":"database out of reach"') == 1


@contextmanager
def failing(error: Exception, key: str) -> Iterator[None]:
    """Make the store fail at a key."""
    real = PostgresSubmissions.submit

    def submit(self: PostgresSubmissions, notification: Any, *given: Any, **more: Any) -> Any:
        if notification.submission.idempotency_key == key:
            raise error
        return real(self, notification, *given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresSubmissions, "submit", submit)
        yield


def test_a_database_that_goes_away_midway_leaves_what_is_stored(
    functions: Functions, connection: Connection
) -> None:
    batch = [good(f"key-{number}") for number in range(5)]
    with failing(StoreUnavailable("gone"), "key-2"):
        answer = functions.post_batch(batch)
    assert statuses(answer) == [202, 202, 503, 503, 503]
    assert count(connection) == 2
    again = functions.post_batch(batch)
    assert statuses(again) == [202] * 5
    replayed = [result["replayed"] for result in again.body["results"]]
    assert replayed == [True, True, False, False, False]


def test_one_that_breaks_the_machinery_is_a_500_for_itself_alone(
    functions: Functions, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    with failing(RuntimeError("success+ann@simulator.amazonses.com"), "key-1"):
        answer = functions.post_batch([good(f"key-{number}") for number in range(3)])
    assert statuses(answer) == [202, 500, 202]
    assert count(connection) == 2
    logged = capsys.readouterr().out
    assert '"error":"RuntimeError"' in logged
    assert "success+ann" not in logged


def test_one_whose_key_is_being_stored_is_a_409_and_the_others_are_stored(
    functions: Functions, connection: Connection, database_url: str
) -> None:
    with psycopg.connect(database_url) as first:
        first.execute(
            "insert into dovecote.notifications"
            " (notification_id, kind, idempotency_key, fingerprint)"
            " values (gen_random_uuid(), %s, 'key-1', 'f')",
            (kind_of(),),
        )
        answer = functions.post_batch([good(f"key-{number}") for number in range(3)])
        first.rollback()
    assert statuses(answer) == [202, 409, 202]
    assert count(connection) == 2


@pytest.mark.timed
def test_a_batch_ends_in_time_however_slow_its_notifications_are_stored(
    functions: Functions, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these waits for a lock as long as the database lets it, 2 s: all of them for 20."""
    monkeypatch.setattr(submit, "STORING_SECONDS", 3.0)
    with psycopg.connect(database_url) as first:
        for number in range(10):
            first.execute(
                "insert into dovecote.notifications"
                " (notification_id, kind, idempotency_key, fingerprint)"
                " values (gen_random_uuid(), %s, %s, 'f')",
                (kind_of(), f"key-{number}"),
            )
        started = time.monotonic()
        answer = functions.post_batch([good(f"key-{number}") for number in range(10)])
        assert time.monotonic() - started < 10
        first.rollback()
    # The second is not waited for as long as the first, and the others not at all.
    assert statuses(answer) == [409, *[503] * 9]


def test_past_10_000_routes_an_answer_leaves_them_out(
    functions: Functions, connection: Connection
) -> None:
    """An answer that Lambda does not take would be a 500 for all that is stored."""
    field = channels.get(CHANNEL).address_field
    many = [{field: recipient(number)[field]} for number in range(1000)]
    batch = [good(f"key-{number}", recipients=many) for number in range(12)]
    answer = functions.post_batch(
        json.dumps({"notifications": batch}, separators=(",", ":")).encode()
    )
    assert statuses(answer) == [202] * 12
    told = [result["notification"].get("routes") for result in answer.body["results"]]
    assert [routes and len(routes) for routes in told] == [1000] * 10 + [None] * 2
    found = connection.execute("select count(*) from dovecote.notification_routes").fetchone()
    assert found == (12_000,)


def test_faults_without_number_do_not_make_an_answer_too_large(functions: Functions) -> None:
    nobody = [good(f"key-{number}", recipients=[{}] * 1000) for number in range(99)]
    body = json.dumps({"notifications": [*nobody, good("key")]}, separators=(",", ":")).encode()
    answer = functions.post_batch(body)
    assert statuses(answer) == [422] * 99 + [202]
    assert len(json.dumps(answer.body)) < 2 * 1024 * 1024


# Messages of SQS


def test_messages_are_stored_each_once_and_what_is_stored_is_done(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    bodies = [json.dumps(good(f"key-{number}")) for number in (1, 2, 1)]
    assert functions.submit_messages(*bodies) == {"batchItemFailures": []}
    assert functions.submit_messages(*bodies) == {"batchItemFailures": []}
    assert count(connection) == 2
    assert len(provider.provider.ledger.accepted) == 2


@pytest.mark.parametrize("field", sorted(recipient()))
def test_what_can_never_be_taken_is_named_for_the_dead_letter_queue_and_in_the_log(
    functions: Functions, connection: Connection, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    secret = "hunter2hunter2"
    poison = json.dumps(good("key-2", recipients=[{field: f"{secret}\n"}]))
    answer = functions.submit_messages(json.dumps(good("key-1")), poison, "{" + secret, "\ud800")
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in (1, 2, 3)]
    }
    assert count(connection) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    untaken = [line for line in lines if line["message"] == "message not stored"]
    assert [(line["message_id"], line["status"], line["level"]) for line in untaken] == [
        ("message-1", 422, "ERROR"), ("message-2", 400, "ERROR"), ("message-3", 400, "ERROR"),
    ]  # fmt: skip
    assert untaken[0]["problem"] == "The notification is invalid."
    assert untaken[0]["errors"][0].startswith(f"/recipients/0/{field}: ")
    assert secret not in json.dumps(lines)


def test_a_message_for_a_database_out_of_reach_comes_again(
    unreachable: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = unreachable.submit_messages(*(json.dumps(good(key)) for key in "ab"))
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in (0, 1)]
    }
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in lines if line["message"] == "message not stored"] == [
        "WARNING", "WARNING",
    ]  # fmt: skip


def test_the_trace_of_a_message_goes_on(functions: Functions, connection: Connection) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    functions.submit_messages(json.dumps(good("key-1")), traceparent=trace)
    found = connection.execute("select traceparent from dovecote.notifications").fetchall()
    assert found == [(trace,)]


def test_a_batch_is_no_problem_document(functions: Functions) -> None:
    assert functions.post_batch([good("key-1")]).headers["content-type"] == "application/json"
    assert functions.post_batch([]).headers["content-type"] == PROBLEM
