"""The design's HTTP table, row by row, and: bad input gets a problem document, stores nothing."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from dovecote import channels
from dovecote.aws import openapi
from dovecote.store.database import Database
from local.provider import Running
from tests.builders import ADDRESS, CHANNEL, a_lease, a_notification, a_submission
from tests.functions import PROBLEM, Answer, Functions, environment, run_functions
from tests.sending import OTHERS, UNREACHED, a_body, channel_body, recipient
from tests.store import Store

Connection = psycopg.Connection[Any]


def count(connection: Connection) -> int:
    row = connection.execute("select count(*) from dovecote.notifications").fetchone()
    assert row is not None
    return int(row[0])


def assert_problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.body["status"] == status
    assert set(answer.body) >= {"type", "title", "status", "detail"}


def test_a_notification_is_stored_tried_and_answered_202(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    answer = functions.post(a_body())
    assert answer.status == 202
    assert answer.headers["location"] == f"/notifications/{answer.body['notification_id']}"
    assert "idempotent-replayed" not in answer.headers
    assert answer.body["kind"] == "order.shipped"
    route, *others = answer.body["routes"]
    assert (route["channel"], route["status"], route["attempts"]) == (CHANNEL, "published", 1)
    assert route["next_attempt_at"] is None
    assert [(other["channel"], other["status"], other["last_error"]) for other in others] == [
        (name, "skipped", UNREACHED[name]) for name in OTHERS
    ]
    (accepted,) = provider.provider.ledger.accepted
    assert accepted.message_id == route["provider_message_id"]
    assert count(connection) == 1


def test_the_same_key_and_body_again_is_answered_as_the_first(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    first = functions.post(a_body())
    again = functions.post(a_body())
    assert again.status == 202
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body == first.body
    assert count(connection) == 1
    assert len(provider.provider.ledger.accepted) == 1


def test_the_key_may_come_in_the_header(functions: Functions, connection: Connection) -> None:
    body = a_body()
    key = body.pop("idempotency_key")
    assert functions.post(body, {"Idempotency-Key": key}).status == 202
    assert functions.post(a_body()).headers["idempotent-replayed"] == "true"
    assert count(connection) == 1


def test_a_replay_is_answered_whatever_the_catalog_says_by_then(
    functions: Functions,
    connection: Connection,
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    tmp_path: Path,
) -> None:
    first = functions.post(a_body())
    smaller = tmp_path / "catalog"
    shutil.copytree(catalog_folder, smaller)
    kinds = yaml.safe_load((smaller / "kinds.yaml").read_text())
    del kinds["kinds"]["order.shipped"]
    (smaller / "kinds.yaml").write_text(yaml.safe_dump(kinds))
    with run_functions(environment(database_url, provider.url, smaller)) as later:
        again = later.post(a_body())
        assert_problem(later.post(a_body(idempotency_key="a-new-one")), 422)
    assert (again.status, again.body) == (202, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert count(connection) == 1


def test_the_same_key_with_another_body_is_a_422(
    functions: Functions, connection: Connection
) -> None:
    functions.post(a_body())
    answer = functions.post(a_body(payload={"order_id": "9", "carrier": "DHL"}))
    assert_problem(answer, 422)
    assert count(connection) == 1


def test_the_same_key_of_another_kind_is_another_notification(
    functions: Functions, connection: Connection
) -> None:
    functions.post(a_body())
    assert functions.post(channel_body()).status == 202
    assert count(connection) == 2


@pytest.mark.timed
def test_the_same_key_while_the_first_is_being_stored_is_a_409(
    functions: Functions, connection: Connection, database_url: str
) -> None:
    with psycopg.connect(database_url) as first:
        first.execute(
            "insert into dovecote.notifications"
            " (notification_id, kind, idempotency_key, fingerprint)"
            " values (gen_random_uuid(), 'order.shipped', 'order-1234-shipped', 'f')"
        )
        answer = functions.post(a_body())
        first.rollback()
    assert_problem(answer, 409)
    assert int(answer.headers["retry-after"]) >= 1
    assert functions.post(a_body()).status == 202


def assert_no_producer_waits(functions: Functions, database_url: str, lock: str) -> None:
    """Submit while a table is locked: the answer comes soon."""
    with psycopg.connect(database_url) as other:
        other.execute(f"lock table dovecote.{lock}".encode())
        started = time.monotonic()
        answer = functions.post(a_body())
        assert time.monotonic() - started < 8
        other.rollback()
    if answer.status == 202:
        assert answer.body["routes"][0]["status"] == "pending"
    else:
        assert_problem(answer, 503)


def test_routes_that_are_locked_as_an_index_is_built_keep_no_producer_waiting(
    functions: Functions, database_url: str
) -> None:
    assert_no_producer_waits(functions, database_url, "notification_routes in share mode")


REFUSED: dict[str, tuple[bytes | dict[str, Any], int, str | None]] = {
    # 400: it cannot be read, or not by all alike
    "not JSON": (b"{", 400, None),
    "nothing": (b"", 400, None),
    "not an object": (b"[]", 400, None),
    "no key": (json.dumps({**a_body(), "idempotency_key": None}).encode(), 400, None),
    "NaN": (json.dumps(a_body(payload={"order_id": float("nan")})).encode(), 400, None),
    "a lone surrogate": (json.dumps(a_body(payload={"order_id": "\ud800"})).encode(), 400, None),
    "NUL": (json.dumps(a_body(payload={"order_id": "\x00"})).encode(), 400, None),
    "a member twice": (b'{"kind": "a", "kind": "b"}', 400, None),
    "100,000 brackets": (b"[" * 100_000, 400, None),
    "invalid UTF-8": (b'{"kind": "\xff"}', 400, None),
    # 413: too much
    "2 MiB": (json.dumps(a_body(payload={"order_id": "x" * 2**21})).encode(), 413, None),
    "1,001 recipients": (a_body(recipients=[recipient()] * 1001), 413, None),
    # 422: it can be read, and something cannot be taken
    "an unknown kind": (a_body(kind="order.lost"), 422, "/kind"),
    "a payload against the schema": (
        a_body(payload={"order_id": 7, "carrier": "DHL"}), 422, "/payload/order_id",
    ),
    "a payload that misses a variable": (a_body(payload={"order_id": "1"}), 422, "/payload"),
    "a bad address": (a_body(recipients=[{"email": "ann"}]), 422, "/recipients/0/email"),
    "a display name": (
        a_body(recipients=[{"email": f"Ann <{ADDRESS}>"}]), 422, "/recipients/0/email",
    ),
    "a line break in an address": (
        a_body(recipients=[{"email": f"{ADDRESS}\r\nBcc: x@y.example"}]),
        422,
        "/recipients/0/email",
    ),
    "a bad timestamp": (a_body(deliver_at="tomorrow"), 422, "/deliver_at"),
    "an offset that no place has": (
        a_body(deliver_at="2735-11-30T06:29:44+18:31"), 422, "/deliver_at",
    ),
    "a key over 255 characters": (a_body(idempotency_key="k" * 256), 422, "/idempotency_key"),
    "an unknown field": (a_body(colour="red"), 422, "/colour"),
    "attachments": (a_body(attachments=[]), 422, "/attachments"),
    "a recipient that nothing reaches": (a_body(recipients=[{}]), 422, "/recipients/0"),
    "no recipient": (a_body(recipients=[]), 422, "/recipients"),
    "a payload over 64 KiB": (
        a_body(payload={"order_id": "x" * 70_000, "carrier": "DHL"}), 422, "/payload",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status", "where"), REFUSED.values(), ids=REFUSED)
def test_bad_input_gets_a_problem_document_and_stores_nothing(
    functions: Functions,
    connection: Connection,
    provider: Running,
    body: bytes | dict[str, Any],
    status: int,
    where: str | None,
) -> None:
    answer = functions.post(body)
    assert_problem(answer, status)
    if where is not None:
        assert where in {error["pointer"] for error in answer.body["errors"]}
        assert all(error["detail"] for error in answer.body["errors"])
    assert count(connection) == 0
    assert provider.provider.ledger.attempts == []


def test_two_different_keys_are_a_400(functions: Functions, connection: Connection) -> None:
    assert_problem(functions.post(a_body(), {"idempotency-key": "another"}), 400)
    assert count(connection) == 0


def test_attachments_are_refused_in_words(functions: Functions) -> None:
    (error,) = functions.post(a_body(attachments=[])).body["errors"]
    assert error == {"pointer": "/attachments", "detail": "is not supported"}


def test_a_problem_repeats_no_value(functions: Functions) -> None:
    secret = "hunter2hunter2"
    answer = functions.post(
        a_body(payload={"order_id": [secret], "carrier": secret}, recipients=[{"email": secret}])
    )
    assert secret not in json.dumps(answer.body)


def test_a_direct_invocation_takes_the_same_body(
    functions: Functions, connection: Connection
) -> None:
    stored = functions.invoke_submit(a_body())
    assert stored["routes"][0]["status"] == "published"
    refused = functions.invoke_submit({"kind": "order.shipped"})
    assert refused["status"] == 400
    assert count(connection) == 1


@pytest.fixture
def unreachable(provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    """The functions with a database that nobody listens for."""
    url = "postgresql://postgres@127.0.0.1:9/nowhere"
    with run_functions(environment(url, provider.url, catalog_folder)) as wired:
        yield wired


def test_a_database_out_of_reach_is_a_503(unreachable: Functions) -> None:
    answer = unreachable.post(a_body())
    assert_problem(answer, 503)
    assert int(answer.headers["retry-after"]) >= 1
    assert_problem(unreachable.call("GET", f"/notifications/{'0' * 32}"), 503)
    assert_problem(unreachable.call("GET", "/notifications?user_id=u-1"), 503)
    assert_problem(unreachable.call("GET", "/dead-letters"), 503)
    assert_problem(unreachable.call("GET", "/redrives"), 503)
    assert_problem(unreachable.call("POST", f"/dead-letters/{'0' * 32}/redrive"), 503)
    assert_problem(unreachable.call("POST", "/dead-letters/redrive", b'{"filter": {}}'), 503)


def test_a_database_out_of_reach_interrupts_dispatch_which_says_so(
    unreachable: Functions, capsys: pytest.CaptureFixture[str], provider: Running
) -> None:
    tally = unreachable.dispatch()
    assert (tally["claimed"], tally["interrupted"]) == (0, len(channels.NAMES))
    printed = capsys.readouterr().out
    assert printed.count('"message":"database out of reach"') == len(channels.NAMES)
    assert provider.provider.ledger.attempts == []


def test_a_direct_invocation_takes_as_many_letters_as_http(functions: Functions) -> None:
    letters = "\u044f" * 300_000
    body = a_body(recipients=[recipient(data={"first_name": letters})])
    direct = functions.invoke_submit(body)
    assert direct["status"] == 422
    assert functions.post(json.dumps(body, ensure_ascii=False).encode()).status == 422


@pytest.mark.parametrize("event", [[], "text", None, 7, {}, {"kind": "\ud800"}, {"Records": []}])
def test_a_direct_invocation_of_anything_is_a_400(functions: Functions, event: Any) -> None:
    assert functions.invoke_submit(event)["status"] == 400


def test_a_notification_can_be_read_with_its_routes(functions: Functions) -> None:
    posted = functions.post(a_body()).body
    answer = functions.call("GET", f"/notifications/{posted['notification_id']}")
    assert answer.status == 200
    histories = [route.pop("history") for route in answer.body["routes"]]
    assert all("delivery" in route for route in answer.body["routes"])
    routes = [{**route, "delivery": None} for route in answer.body["routes"]]
    assert routes == [{**route, "delivery": None} for route in posted["routes"]]
    assert [[event["event"] for event in history] for history in histories] == [
        ["submitted", "published"], *[["submitted", "skipped"]] * len(OTHERS),
    ]  # fmt: skip
    assert answer.body["idempotency_key"] == "order-1234-shipped"


def test_the_api_describes_itself(functions: Functions) -> None:
    answer = functions.call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    described = yaml.safe_load(openapi.SOURCE.read_text("utf-8"))
    described["components"]["schemas"]["Channel"]["enum"] = list(channels.NAMES)
    assert answer.body == described


@pytest.mark.parametrize("path", ["00000000-0000-0000-0000-000000000000", "none", "%00"])
def test_a_notification_that_is_none_is_a_404(functions: Functions, path: str) -> None:
    assert_problem(functions.call("GET", f"/notifications/{path}"), 404)
    assert_problem(functions.call("DELETE", f"/notifications/{path}"), 404)


def test_a_scheduled_notification_can_be_cancelled(functions: Functions, provider: Running) -> None:
    posted = functions.post(a_body(deliver_at="2999-01-01T00:00:00Z")).body
    path = f"/notifications/{posted['notification_id']}"
    assert posted["routes"][0]["status"] == "pending"
    cancelled = {"cancelled": 1 + len(OTHERS), "in_flight": 0, "ended": 0}
    assert functions.call("DELETE", path).body == cancelled
    # A client that got no answer repeats the call.
    assert functions.call("DELETE", path).body == cancelled
    assert functions.call("GET", path).body["routes"][0]["status"] == "cancelled"
    assert functions.dispatch()["claimed"] == 0
    assert provider.provider.ledger.attempts == []


def test_any_offset_of_less_than_sixteen_hours_is_taken(functions: Functions) -> None:
    answer = functions.post(a_body(deliver_at="2999-01-01T00:00:00+15:59"))
    assert answer.status == 202
    read = functions.call("GET", answer.headers["location"]).body
    assert read["deliver_at"] == "2998-12-31T08:01:00Z"


LEASED = "claim_token = gen_random_uuid(), leased_until = clock_timestamp() + interval"
CANCELS: dict[str, tuple[str, dict[str, int]]] = {
    "in somebody's hands": (f"{LEASED} '1 minute'", {"in_flight": 1}),
    "under a lease that ran out": (f"{LEASED} '-1 hour'", {"in_flight": 1}),
    "in doubt": ("doubt_until = clock_timestamp() + interval '1 minute'", {"in_flight": 1}),
    "in doubt, the hold over": ("doubt_until = clock_timestamp()", {"in_flight": 1}),
    "waiting for its next attempt": ("status = 'retrying', lane = lane + 1", {"cancelled": 1}),
    "published": (
        "status = 'published', next_attempt_at = null, published_at = now()", {"ended": 1},
    ),
    "a dead letter in doubt": (
        "status = 'dead_lettered', next_attempt_at = null, doubt_until = now()", {"ended": 1},
    ),
    "cancelled before": ("status = 'cancelled', next_attempt_at = null", {"cancelled": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("stands", "counts"), CANCELS.values(), ids=CANCELS)
def test_a_cancel_tells_what_became_of_each_route(
    functions: Functions, connection: Connection, stands: str, counts: dict[str, int]
) -> None:
    posted = functions.post(a_body(deliver_at="2999-01-01T00:00:00Z")).body
    connection.execute(
        "update dovecote.notification_routes set attempts = 1, claims = 1,"  # noqa: S608
        f" {stands} where status = 'pending' and target <> 'user'".encode()
    )
    # The routes of the other channels wait until they are expanded.
    cancelled = len(OTHERS) + counts.get("cancelled", 0)
    told = {"in_flight": 0, "ended": 0, **counts, "cancelled": cancelled}
    path = f"/notifications/{posted['notification_id']}"
    assert functions.call("DELETE", path).body == told
    assert functions.call("DELETE", path).body == told


def test_one_key_submitted_at_once_by_many_is_stored_once(
    connection: Connection, database_url: str
) -> None:
    submission = a_submission(key="one-key")
    stored: list[bool] = []

    def submit() -> None:
        with psycopg.connect(database_url, autocommit=True) as own:
            store = Store(Database(lambda: own), default_max_attempts=5)
            answer = store.submit(a_notification(submission=submission), a_lease())
            stored.append(answer is not None)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == [False] * 7 + [True]
    assert count(connection) == 1
