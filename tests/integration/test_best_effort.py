"""Heart 4: submit sends right after it stored; a failure of this never reaches the producer."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.wiring import observability, submit
from local.provider import Fault, Running
from tests.functions import Functions, environment, run_functions
from tests.sending import channel_body, order, recipient

Connection = psycopg.Connection[Any]
STATE = "select status, attempts, claims, claim_token is not null from dovecote.notification_routes"


def test_a_failure_is_answered_202_and_retried_by_dispatch(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    order(provider, Fault.ERROR, times=1)
    answer = functions.post(channel_body())
    (route,) = answer.body["routes"]
    assert (answer.status, route["status"], route["attempts"]) == (202, "retrying", 1)
    assert route["next_attempt_at"] is not None
    assert "InternalFailure (500)" in route["last_error"]
    assert functions.dispatch()["published"] == 1
    assert connection.execute(STATE).fetchall() == [("published", 2, 2, False)]


FAULTS = (None, Fault.CLOSE_AFTER_ACCEPTING, Fault.ERROR, Fault.THROTTLE)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("address", [None, recipient(2).get("email", "u-2")], ids=["all", "one"])
def test_the_answer_has_the_routes_that_a_get_has_afterwards(
    functions: Functions, provider: Running, fault: Fault | None, address: str | None
) -> None:
    if fault is not None:
        order(provider, fault, address=address)
    answer = functions.post(channel_body(count=3))
    found = functions.call("GET", f"/notifications/{answer.body['notification_id']}")
    shown = answer.body["routes"][0].keys()  # a GET shows the events of the provider too
    assert answer.body["routes"] == [
        {name: route[name] for name in shown} for route in found.body["routes"]
    ]
    statuses = [route["status"] for route in answer.body["routes"]]
    assert (statuses == ["published", "published", "pending"]) or fault is not None


def test_a_route_that_was_cancelled_during_its_send_is_answered_as_it_is_stored(
    functions: Functions, connection: Connection
) -> None:
    real = submit.submit()._best_effort._deliver

    def meanwhile(claims: Any, **more: Any) -> Any:
        connection.execute(
            "update dovecote.notification_routes set status = 'cancelled', next_attempt_at = null,"
            " claim_token = null, leased_until = null"
        )
        return real(claims, **more)

    submit.submit()._best_effort._deliver = meanwhile  # type: ignore[assignment]
    assert functions.post(channel_body()).body["routes"][0]["status"] == "cancelled"


def test_a_connection_that_dies_is_one_post_and_a_202(
    functions: Functions, provider: Running
) -> None:
    order(provider, Fault.CLOSE_BEFORE_ACCEPTING, times=1)
    assert functions.post(channel_body()).body["routes"][0]["status"] == "retrying"
    assert len(provider.provider.ledger.attempts) == 1


@pytest.mark.timed
def test_a_stall_is_answered_within_the_budget(
    database_url: str, provider: Running, catalog_folder: Path
) -> None:
    values = environment(database_url, provider.url, catalog_folder, INLINE_BUDGET_SECONDS="3")
    with run_functions(values) as functions:
        functions.post(channel_body(idempotency_key="makes the client"))
        order(provider, Fault.STALL, seconds=20)
        started = time.monotonic()
        answer = functions.post(channel_body())
        assert time.monotonic() - started < 4
    assert (answer.status, answer.body["routes"][0]["status"]) == (202, "retrying")
    assert len(provider.provider.ledger.attempts) <= 2


def test_dispatch_cannot_take_what_submit_is_trying(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    order(provider, Fault.STALL, seconds=20)
    seen: list[Any] = []
    real = submit.submit()._best_effort._deliver

    def meanwhile(_claims: Any, **more: Any) -> Any:
        seen.append((functions.dispatch()["claimed"], connection.execute(STATE).fetchall()))
        return real([], **more)

    submit.submit()._best_effort._deliver = meanwhile  # type: ignore[assignment]
    functions.post(channel_body())
    assert seen == [(0, [("pending", 1, 1, True)])]


def test_a_broken_machinery_is_a_202_and_logged_at_debug_only(
    functions: Functions, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("success+ann@simulator.amazonses.com")

    submit.submit()._best_effort._deliver = broken  # type: ignore[assignment]
    observability.logger().setLevel("DEBUG")
    caplog.set_level("DEBUG")
    answer = functions.post(channel_body())
    assert (answer.status, answer.body["routes"][0]["status"]) == (202, "pending")
    (record,) = [record for record in caplog.records if record.name == "dovecote"]
    assert record.levelname == "DEBUG"
    assert "success+ann" not in caplog.text
    assert connection.execute(STATE).fetchall() == [("pending", 1, 1, True)]


def test_only_as_many_routes_are_tried_at_once_as_the_setting_says(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    functions.post(channel_body(count=5))
    assert len(provider.provider.ledger.accepted) == 2
    assert connection.execute(
        "select status, count(*) from dovecote.notification_routes group by 1 order by 1"
    ).fetchall() == [("pending", 3), ("published", 2)]


def test_what_is_not_due_yet_is_not_tried(functions: Functions, provider: Running) -> None:
    answer = functions.post(channel_body(deliver_at="2999-01-01T00:00:00Z"))
    (route,) = answer.body["routes"]
    assert (route["status"], route["attempts"]) == ("pending", 0)
    assert provider.provider.ledger.attempts == []


@pytest.fixture
def without(database_url: str, provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    values = environment(database_url, provider.url, catalog_folder, INLINE_ROUTES="0")
    with run_functions(values) as wired:
        yield wired


def test_zero_turns_it_off(without: Functions, provider: Running) -> None:
    assert without.post(channel_body()).body["routes"][0]["attempts"] == 0
    assert provider.provider.ledger.attempts == []
    assert without.dispatch()["published"] == 1
