"""Each function does all of its work as its own user of the database."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.route import Reason
from dovecote.core.transitions import DeadLetter
from dovecote.store import queries, statements
from local.provider import Fault, Running
from tests.builders import CHANNEL, claim_all
from tests.functions import Functions, environment, run_functions
from tests.integration.test_feedback import row
from tests.integration.test_roles import RUNS, as_user, names, users
from tests.sending import (
    ACCOUNT,
    OTHERS,
    PERMANENT,
    a_body,
    channel_body,
    order,
)
from tests.store import Store

Connection = psycopg.Connection[Any]
As = Callable[..., AbstractContextManager[Functions]]

__all__ = ["names", "users"]
WAYS = ((queries, "statement"), (queries, "numbered"))
"""Every place where the store looks a statement up."""


def noting(look_up: Callable[[str], Any], ran: set[str]) -> Callable[[str], Any]:
    def noted(name: str) -> Any:
        ran.add(name)
        return look_up(name)

    return noted


@pytest.fixture
def as_function(
    connection: Connection,
    users: dict[str, str],
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> As:
    """Wire the functions as the user of one, which runs what it is said to run and no more."""

    @contextmanager
    def wired(function: str, **settings: str) -> Iterator[Functions]:
        ran: set[str] = set()
        for module, way in WAYS:
            monkeypatch.setattr(module, way, noting(getattr(statements, way), ran))
        values = environment(
            as_user(connection, database_url, users[function]),
            provider.url,
            catalog_folder,
            **{
                "BACKOFF_BASE_SECONDS": "0",
                "PAUSE_BASE_SECONDS": "0.1",
                "INLINE_ROUTES": "2",
                "INLINE_BUDGET_SECONDS": "8",
                "POWERTOOLS_LOG_LEVEL": "DEBUG",
            }
            | settings,
        )
        with run_functions(values) as functions:
            yield functions
        for module, way in WAYS:
            monkeypatch.setattr(module, way, getattr(statements, way))
        printed = capsys.readouterr().out
        # What the best effort of submit failed on is said at debug alone, by its kind.
        assert not [word for word in ("InsufficientPrivilege", "StoreFailed") if word in printed]
        assert ran <= RUNS[function]

    return wired


def count(connection: Connection, table: str) -> int:
    found = connection.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608
    assert found is not None
    return int(found[0])


def statuses(connection: Connection) -> list[Any]:
    return connection.execute(
        "select channel, status from notification_routes order by position, channel"
    ).fetchall()


# Submit.


def test_submit_stores_tries_at_once_and_answers_again(
    as_function: As, connection: Connection
) -> None:
    with as_function("Submit") as functions:
        assert functions.post(a_body()).status == 202
        assert functions.post(a_body()).headers["idempotent-replayed"] == "true"
    skipped = [(name, "skipped") for name in OTHERS]
    assert statuses(connection) == [(CHANNEL, "published"), *skipped]


@pytest.mark.parametrize(
    ("fault", "more", "status"),
    [
        (Fault.ERROR, {}, "retrying"),
        (Fault.ERROR, PERMANENT, "dead_lettered"),
        (Fault.THROTTLE, {}, "pending"),
        (Fault.CLOSE_AFTER_ACCEPTING, {}, "retrying"),
    ],
)
def test_submit_writes_down_whatever_becomes_of_its_attempt(
    as_function: As,
    connection: Connection,
    provider: Running,
    fault: Fault,
    more: dict[str, Any],
    status: str,
) -> None:
    order(provider, fault, times=1, **more)
    with as_function("Submit") as functions:
        assert functions.post(channel_body()).status == 202
        assert row(connection, "status, claim_token") == (status, None)
        assert functions.post(channel_body(idempotency_key="and the next one")).status == 202
    assert count(connection, "notification_dead_letters") == (status == "dead_lettered")


# Dispatch.


@pytest.fixture
def due(database_url: str, provider: Running, catalog_folder: Path) -> "Due":
    """Store a notification as the owner, and try nothing of it."""

    def store(body: dict[str, Any], **settings: str) -> None:
        values = environment(
            database_url, provider.url, catalog_folder, INLINE_ROUTES="0", **settings
        )
        with run_functions(values) as functions:
            assert functions.post(body).status == 202

    return store


Due = Callable[..., None]


def test_dispatch_retries_and_dead_letters(
    as_function: As, connection: Connection, due: Due, provider: Running
) -> None:
    order(provider, Fault.ERROR)
    due(channel_body())
    with as_function("Dispatch") as functions:
        tally = functions.dispatch()
    assert (tally["retrying"], tally["dead_lettered"]) == (3, 1)
    assert count(connection, "notification_dead_letters") == 1


def test_dispatch_pauses_and_goes_on(
    as_function: As, connection: Connection, due: Due, provider: Running
) -> None:
    order(provider, Fault.ERROR, times=1, **ACCOUNT)
    order(provider, Fault.THROTTLE, times=1)
    order(provider, Fault.CLOSE_BEFORE_ACCEPTING, times=1)
    due(channel_body(count=3))
    with as_function("Dispatch") as functions:
        tally = functions.dispatch()
    assert (tally["published"], tally["interrupted"]) == (3, 0)
    assert tally["given_back"] > 0
    assert connection.execute("select max(pauses) from channel_state").fetchone() != (0,)


def test_dispatch_takes_over_from_a_worker_that_died(
    as_function: As, connection: Connection, store: Store, due: Due
) -> None:
    due(channel_body())
    assert len(claim_all(store)) == 1
    connection.execute("update notification_routes set leased_until = now() - interval '1 hour'")
    with as_function("Dispatch") as functions:
        assert functions.dispatch()["published"] == 1


def test_dispatch_ends_what_expires_behind_a_pause(
    as_function: As, connection: Connection, due: Due
) -> None:
    due(channel_body())
    connection.execute(
        "update channel_state set paused_until = now() + interval '1 hour', in_a_row = 1"
        " where resource = %s",
        (CHANNEL,),
    )
    connection.execute("update notification_routes set expires_at = now() - interval '1 second'")
    with as_function("Dispatch") as functions:
        assert functions.dispatch()["dead_lettered"] == 1
    assert row(connection, "last_error") == (None,)


# Api.


def test_api_shows_and_cancels(as_function: As, due: Due, connection: Connection) -> None:
    due(channel_body())
    (notification_id,) = row(connection, "notification_id")
    path = f"/notifications/{notification_id}"
    with as_function("Api") as functions:
        assert functions.call("GET", path).status == 200
        assert functions.call("DELETE", path).body == {"cancelled": 1, "in_flight": 0, "ended": 0}


def test_api_redrives(as_function: As, due: Due, connection: Connection, store: Store) -> None:
    due(channel_body())
    (claim,) = claim_all(store)
    with store.transaction() as transaction:
        end = DeadLetter(reason=Reason.PERMANENT, error="e")
        transaction.dead_letter(claim.token, {claim.route_id: end})
    body = json.dumps({"expires_at": "2999-01-01T00:00:00Z"}).encode()
    path = f"/dead-letters/{claim.route_id}/redrive"
    with as_function("Api") as functions:
        assert functions.call("POST", path, body).status == 202
        assert functions.call("POST", path).status == 409
    letters = connection.execute("select closed_as from notification_dead_letters").fetchall()
    assert letters == [("redriven",)]
