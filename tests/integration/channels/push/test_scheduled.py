"""Scheduled pushes: one route to each user, expanded at its time to the devices of that moment."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.store.database import Database
from dovecote.store.people.erasure import PostgresErasure
from dovecote.store.submit import scheduled
from dovecote.wiring import submit as wiring
from local.provider import Running
from tests.functions import Functions, environment, run_functions
from tests.integration.channels.push.devices import (
    LATER,
    applications,
    make_due,
    post_to_device,
    pushing,
    register,
    sent_pushes,
)
from tests.integration.test_erasure import people, waiting_for_a_lock
from tests.sending import a_body
from tests.store import HASHES

Connection = psycopg.Connection[Any]
__all__ = ["applications", "people", "pushing"]

DATA = {"data": {"first_name": "Ann"}}


def in_sql(functions: Functions, connection: Connection) -> str:
    """Submit in SQL, and expand the submission."""
    body = a_body(recipients=[{"user_id": "u-1"} | DATA])
    values = [json.dumps(body[name]) for name in ("payload", "recipients")]
    (found,) = connection.execute(
        "select notification_id from dovecote.submit('order.shipped', 'k', %s, %s, %s)",
        (*values, LATER),
    )
    assert functions.expand()["expanded"] == 1
    return str(found[0])


def by_http(functions: Functions, _: Connection) -> str:
    answer = post_to_device(functions, deliver_at=LATER)
    return str(answer.body["notification_id"])


WAYS: Mapping[str, Callable[[Functions, Connection], str]] = {"HTTP": by_http, "SQL": in_sql}


def pushes(functions: Functions, notification: str) -> list[dict[str, Any]]:
    """Return the routes of a notification by push."""
    routes = functions.call("GET", f"/notifications/{notification}").body["routes"]
    return [route for route in routes if route["channel"] == "push"]


def routes(connection: Connection) -> list[Any]:
    return connection.execute(
        "select user_id, device_session_id, target, status from dovecote.notification_routes"
        " where channel = 'push' order by notification_id, position, route_id"
    ).fetchall()


def expand(functions: Functions, connection: Connection) -> int:
    """Let the time come and expand; return how many scheduled routes were expanded."""
    make_due(connection)
    return int(functions.expand()["routes_expanded"])


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_push_goes_to_the_devices_that_the_user_has_when_it_is_due(
    pushing: Functions, connection: Connection, provider: Running, way: str
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    notification = WAYS[way](pushing, connection)
    (waiting,) = pushes(pushing, notification)
    assert (waiting["status"], waiting["device_session_id"]) == ("pending", None)
    assert waiting["next_attempt_at"] == LATER
    assert pushing.expand()["routes_expanded"] == 0
    assert pushing.dispatch()["claimed"] == 0
    for session in ("tablet", "watch"):
        register(pushing, session, "apns", session * 20)
    query = "/devices?user_id=u-1&device_session_id=phone"
    assert pushing.call("DELETE", query).status == 204
    assert expand(pushing, connection) == 1
    first, second = pushes(pushing, notification)
    assert first["route_id"] == waiting["route_id"]
    assert [r["device_session_id"] for r in (first, second)] == ["tablet", "watch"]
    assert [[e["event"] for e in r["history"]] for r in (first, second)] == [
        ["submitted", "expanded"]
    ] * 2
    assert pushing.dispatch()["published"] == 2
    assert len(sent_pushes(provider)) == 2
    listed = pushing.call("GET", "/notifications?user_id=u-1").body["notifications"]
    assert len([r for one in listed for r in one["routes"] if r["channel"] == "push"]) == 2


@pytest.mark.parametrize("session", [None, "phone"])
def test_a_user_without_a_device_has_the_skip_of_a_submit_at_once(
    pushing: Functions, connection: Connection, session: str | None
) -> None:
    to = {"recipients": [{"user_id": "u-1", "device_session_id": session} | DATA]}
    at_once = post_to_device(pushing, idempotency_key="now", **to).body
    later = post_to_device(pushing, deliver_at=LATER, **to).body
    connection.execute("update notification_routes set expires_at = 'epoch'")  # it changes nothing
    assert expand(pushing, connection) == 1
    (first,), (second,) = (pushes(pushing, one["notification_id"]) for one in (at_once, later))
    same = ("status", "last_error", "user_id", "device_session_id", "next_attempt_at")
    assert [second[name] for name in same] == [first[name] for name in same]
    assert first["status"] == "skipped"
    assert len({tuple(row) for row in routes(connection)}) == 1


@pytest.fixture
def with_topic(
    database_url: str, provider: Running, catalog_folder: Path, applications: dict[str, str]
) -> Iterator[Functions]:
    """The functions with a topic and one platform application, of which submit tries nothing."""
    values = environment(
        database_url,
        provider.url,
        catalog_folder,
        INLINE_ROUTES="0",
        PUSH_APPLICATION_ARNS=applications["APNS"],
        PUSH_TOPIC_ARN=applications["topic"],
    )
    with run_functions(values) as wired:
        yield wired


ANN = {"user_id": "u-1"}
PHONE = {"user_id": "u-1", "device_session_id": "phone"}
TABLET = {"user_id": "u-1", "device_session_id": "tablet"}


@pytest.mark.parametrize("deliver_at", [None, LATER], ids=["at once", "scheduled"])
@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ([ANN, ANN], [("phone", "device"), ("tablet", "device"), (None, "topic")]),
        ([ANN, PHONE], [("phone", "device"), ("tablet", "device"), (None, "topic")]),
        ([PHONE, ANN], [("phone", "device"), ("tablet", "device"), (None, "topic")]),
        ([PHONE, PHONE], [("phone", "device"), ("phone", "topic")]),
        ([TABLET, PHONE], [("phone", "device"), ("phone", "topic"),
                           ("tablet", "device"), ("tablet", "topic")]),
    ],
)  # fmt: skip
def test_repeated_recipients_have_one_push_to_each_device_and_topic(
    with_topic: Functions,
    connection: Connection,
    recipients: list[dict[str, Any]],
    expected: list[Any],
    deliver_at: str | None,
) -> None:
    for session in ("phone", "tablet"):
        register(with_topic, session, "apns", session * 20)
    to = [one | DATA for one in recipients]
    post_to_device(with_topic, recipients=to, deliver_at=deliver_at)
    if deliver_at is not None:
        assert expand(with_topic, connection) >= 1
    found = [(session, target) for _, session, target, _ in routes(connection)]
    assert sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.channels("email")
def test_one_address_in_any_case_has_one_email(pushing: Functions, connection: Connection) -> None:
    name, at, domain = "success+Ann", "@", "simulator.amazonses.com"
    addresses = [name + at + domain, name.lower() + at + domain.upper(), name.upper() + at + domain]
    post_to_device(pushing, recipients=[{"email": a} | DATA for a in addresses])
    found = connection.execute("select address from notification_routes where channel = 'email'")
    assert found.fetchall() == [(addresses[0],)]


# Two expansions, and an expansion that fails.


def several(connection: Connection, functions: Functions, count: int) -> None:
    """Schedule a push to so many users with two devices each."""
    connection.execute(
        "insert into dovecote.push_devices (user_id, device_session_id, platform, token, endpoint)"
        " select 'u-' || u, 'd-' || d, 'fcm', 't', u || '/' || d"
        " from generate_series(1, %s) u, generate_series(1, 2) d",
        (count,),
    )
    to = [{"user_id": f"u-{number}"} | DATA for number in range(1, count + 1)]
    post_to_device(functions, recipients=to, deliver_at=LATER)
    make_due(connection)


def test_two_expansions_at_once_make_each_route_once(
    pushing: Functions, connection: Connection, database_url: str
) -> None:
    several(connection, pushing, 250)
    planners = wiring._planners()

    def drained(_: int) -> int:
        own = Database(lambda: psycopg.connect(database_url, autocommit=True))
        store = scheduled.PostgresScheduledRoutes(own, HASHES)
        one, whole = wiring.ExpandScheduled(planners=planners, routes=store), 0
        while count := one(20)[0]:
            whole += count
        own.close()
        return whole

    with ThreadPoolExecutor() as executor:
        assert sum(executor.map(drained, range(3))) == 250
    found = routes(connection)
    assert len(found) == len(set(found)) == 500
    assert {(target, status) for *_, target, status in found} == {("device", "pending")}


def test_an_expansion_that_fails_is_undone_and_repeated(
    pushing: Functions,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    several(connection, pushing, 3)

    def expanded(*given: Any) -> Any:
        scheduled.execute(given[0], "submit/expand", given[2])
        raise ValueError("canary of a test")

    with monkeypatch.context() as patch:
        patch.setattr(scheduled, "rows", expanded)
        assert pushing.expand()["routes_expanded"] == 0
    assert {target for *_, target, _ in routes(connection)} == {"user"}
    assert capsys.readouterr().out.count("routes not expanded") == 2
    assert pushing.expand()["routes_expanded"] == 3
    assert len(routes(connection)) == 6


# Cancelled, erased or expired, before its time comes or while it is expanded.


def begin_expansion(connection: Connection) -> None:
    """Expand what is due, in a transaction that the caller ends."""
    store = scheduled.PostgresScheduledRoutes(Database(lambda: connection), HASHES)
    use_case = wiring._expand_scheduled()
    scheduled.PostgresScheduledRoutes.expand.__wrapped__(store, connection, use_case._planned, 100)


def cancel(functions: Functions, notification: str) -> Any:
    return functions.call("DELETE", f"/notifications/{notification}")


def erase(functions: Functions, _: str) -> Any:
    return functions.call("DELETE", "/users?user_id=u-1")


ENDS: Mapping[str, Callable[[Functions, str], Any]] = {"cancel": cancel, "erase": erase}


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("meanwhile", [False, True], ids=["before", "meanwhile"])
def test_a_scheduled_push_that_is_cancelled_or_erased_is_sent_to_no_device(
    pushing: Functions, connection: Connection, database_url: str, end: str, meanwhile: bool
) -> None:
    for session in ("phone", "tablet"):
        register(pushing, session, "apns", session * 20)
    notification = by_http(pushing, connection)
    make_due(connection)
    if meanwhile:
        with psycopg.connect(database_url) as other, ThreadPoolExecutor() as executor:
            begin_expansion(other)
            answer = executor.submit(ENDS[end], pushing, notification)
            waiting_for_a_lock(connection)
            other.commit()
            assert answer.result().status == 200
    else:
        assert ENDS[end](pushing, notification).status == 200
    assert pushing.expand()["routes_expanded"] == 0
    assert pushing.dispatch()["claimed"] == 0
    found = routes(connection)
    assert len(found) == (2 if meanwhile else 1)
    assert {status for *_, status in found} <= {"cancelled", "skipped"}
    if end == "erase":
        assert {user for user, *_ in found} == {None}
        assert connection.execute("table user_routes").fetchall() == []
        assert connection.execute("table notification_payloads").fetchall() == []


def test_an_expansion_erases_people_whose_erasure_has_begun(
    pushing: Functions, connection: Connection, people: PostgresErasure
) -> None:
    several(connection, pushing, 2)
    people.suppress_user("u-1")
    assert pushing.expand()["routes_expanded"] == 2
    found = routes(connection)
    assert [(user, status) for user, *_, status in found] == [
        (None, "cancelled"), ("u-2", "pending"), ("u-2", "pending"),
    ]  # fmt: skip
    listed = connection.execute(
        "select e.user_id from user_routes e join notification_routes r using (route_id)"
        " where r.channel = 'push'"
    )
    assert listed.fetchall() == [("u-2",)] * 2


def test_a_scheduled_push_that_is_expanded_too_late_expires(
    pushing: Functions, connection: Connection, provider: Running
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    notification = by_http(pushing, connection)
    connection.execute("update notification_routes set expires_at = now()")
    make_due(connection)
    assert pushing.dispatch()["dead_lettered"] == 0
    assert expand(pushing, connection) == 1
    assert pushing.dispatch()["dead_lettered"] == 1
    (route,) = pushes(pushing, notification)
    assert (route["status"], route["device_session_id"]) == ("dead_lettered", "phone")
    (letter,) = pushing.call("GET", "/dead-letters").body["dead_letters"]
    assert letter["reason"] == "expired"
    assert sent_pushes(provider) == []


def test_a_scheduled_push_counts_as_live_and_as_due(
    pushing: Functions, connection: Connection
) -> None:
    by_http(pushing, connection)
    (live,) = [
        one for one in pushing.call("GET", "/overview").body["live"] if one["channel"] == "push"
        and one["status"] == "pending"
    ]  # fmt: skip
    assert (live["live"], live["due"]) == (1, 0)
    connection.execute(
        "update notification_routes set next_attempt_at = now() - interval '1 hour'"
        " where status = 'pending'"
    )
    gauges = pushing.call("GET", "/overview").body["live"]
    assert max(one["oldest_due_seconds"] for one in gauges) > 3500
