"""Whose which device is, and what becomes of the routes to one that dies, goes or changes hands."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from dovecote.core.device import Device
from dovecote.core.outcome import Permanent, Result
from dovecote.core.route import Target
from dovecote.store.database import Database
from dovecote.store.people.devices import PostgresDevices
from local.provider import Running
from tests.builders import (
    RecordingLog,
    a_finaliser,
    a_notification,
    a_route,
    claim_all,
    stored,
)
from tests.conftest import DEFAULT_MAX_ATTEMPTS
from tests.functions import PROBLEM, Functions, environment, run_functions
from tests.integration.channels.push.devices import post_scheduled
from tests.store import HASHES, Store

Connection = psycopg.Connection[Any]
GONE = "device is dead or no longer registered"
TOKEN = "a-token-of-ann-s-phone"
PHONE = "/devices?user_id=u-1&device_session_id=phone"


# Over HTTP


@pytest.fixture
def functions(database_url: str, provider: Running, catalog_folder: Any) -> Iterator[Functions]:
    """The functions with a platform application to register devices at."""
    application = provider.provider.registry.create_application("shop", "GCM")
    values = environment(
        database_url,
        provider.url,
        catalog_folder,
        PUSH_APPLICATION_ARNS=application,
        PUSH_TOPIC_ARN="",
    )
    with run_functions(values) as wired:
        yield wired


def put(
    functions: Functions, token: str = TOKEN, *, user: str = "u-1", session: str = "phone"
) -> Any:
    device = {"user_id": user, "device_session_id": session, "platform": "fcm", "token": token}
    answer = functions.call("PUT", "/devices", json.dumps(device).encode())
    assert answer.status == 200, answer.body
    return answer.body


def test_a_device_is_shown_alone_and_with_the_others_and_never_its_token(
    functions: Functions,
) -> None:
    put(functions)
    put(functions, "another", session="tablet")
    put(functions, "of another user", user="u-2")
    listed = functions.call("GET", "/devices?user_id=u-1")
    assert listed.status == 200
    phone, tablet = listed.body["devices"]
    assert set(phone) == {
        "user_id", "device_session_id", "platform", "dead_at", "created_at", "updated_at",
    }  # fmt: skip
    assert (phone["user_id"], phone["device_session_id"]) == ("u-1", "phone")
    assert (phone["platform"], phone["dead_at"]) == ("fcm", None)
    assert datetime.fromisoformat(phone["created_at"]) <= datetime.now(UTC)
    assert tablet["device_session_id"] == "tablet"
    assert functions.call("GET", PHONE).body == {"devices": [phone], "next": None}
    assert TOKEN not in json.dumps(listed.body)


@pytest.mark.parametrize(
    "query", ["user_id=u-1&device_session_id=phone", "user_id=u-2&device_session_id=tablet"]
)
def test_an_unknown_device_is_not_listed_and_cannot_be_deleted(
    functions: Functions, query: str
) -> None:
    put(functions, user="u-2")
    listed = functions.call("GET", f"/devices?{query}")
    assert (listed.status, listed.body) == (200, {"devices": [], "next": None})
    answer = functions.call("DELETE", f"/devices?{query}")
    assert (answer.status, answer.headers["content-type"]) == (404, PROBLEM)
    assert len(functions.call("GET", "/devices?user_id=u-2").body["devices"]) == 1


def test_an_unknown_user_has_no_devices(functions: Functions) -> None:
    answer = functions.call("GET", "/devices?user_id=unknown")
    assert (answer.status, answer.body) == (200, {"devices": [], "next": None})


def test_devices_are_listed_by_page_in_the_order_of_their_sessions(functions: Functions) -> None:
    sessions = [f"session-{number}" for number in range(5)]
    for number, session in enumerate(reversed(sessions)):
        put(functions, f"token-{number}", session=session)
    put(functions, "of another user", user="u-2", session="session-3")
    listed: list[str] = []
    path: str | None = "/devices?user_id=u-1&limit=2"
    pages = 0
    while path is not None:
        body = functions.call("GET", path).body
        listed += (one["device_session_id"] for one in body["devices"])
        after, pages = body["next"], pages + 1
        path = f"/devices?user_id=u-1&limit=2&after={after}" if after else None
    assert (listed, pages) == (sessions, 3)


@pytest.mark.parametrize("parameter", ["limit=0", "limit=101", "limit=x", "after=", "after=%00"])
def test_a_page_of_devices_that_cannot_be_read_is_refused(
    functions: Functions, parameter: str
) -> None:
    answer = functions.call("GET", f"/devices?user_id=u-1&{parameter}")
    assert (answer.status, answer.headers["content-type"]) == (422, PROBLEM)


def test_registering_twice_is_registering_once(functions: Functions, provider: Running) -> None:
    assert put(functions) == put(functions)
    (before,) = functions.call("GET", PHONE).body["devices"]
    put(functions)
    (after,) = functions.call("GET", PHONE).body["devices"]
    assert {**after, "updated_at": None} == {**before, "updated_at": None}
    assert after["updated_at"] > before["updated_at"]
    assert len(provider.provider.registry.endpoints) == 1


def test_an_endpoint_with_other_attributes_is_taken_over_and_told_of_no_user(
    functions: Functions, provider: Running, connection: Connection
) -> None:
    registry = provider.provider.registry
    (application,) = registry.applications
    left_behind = registry.create_endpoint(application, TOKEN, "", {"Enabled": "false"})
    put(functions)
    (endpoint,) = registry.endpoints.values()
    assert endpoint.arn == left_behind.arn
    assert (endpoint.enabled, endpoint.attributes["CustomUserData"]) == (True, "")
    found = connection.execute("select user_id, endpoint from dovecote.push_devices").fetchall()
    assert found == [("u-1", endpoint.arn)]


def test_a_new_token_takes_the_place_of_the_old_one(
    functions: Functions, provider: Running
) -> None:
    put(functions)
    put(functions, "a-new-one")
    (endpoint,) = provider.provider.registry.endpoints.values()
    assert endpoint.attributes["Token"] == "a-new-one"
    assert len(functions.call("GET", "/devices?user_id=u-1").body["devices"]) == 1


def test_a_token_that_changes_hands_goes_to_the_new_user_and_nothing_of_the_old_with_it(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    put(functions)
    notification = post_scheduled(functions, connection).body["notification_id"]
    put(functions, user="u-2")
    assert functions.call("GET", "/devices?user_id=u-1").body["devices"] == []
    assert len(functions.call("GET", "/devices?user_id=u-2").body["devices"]) == 1
    routes = functions.call("GET", f"/notifications/{notification}").body["routes"]
    push = next(route for route in routes if route["channel"] == "push")
    assert (push["status"], push["last_error"], push["next_attempt_at"]) == ("skipped", GONE, None)
    assert len(provider.provider.registry.endpoints) == 1


def test_what_waits_for_a_deleted_device_is_skipped_and_the_rest_of_its_user_s_is_not(
    functions: Functions, connection: Connection
) -> None:
    put(functions)
    put(functions, "another", session="tablet")
    post_scheduled(functions, connection)
    assert functions.call("DELETE", PHONE).status == 204
    found = connection.execute(
        "select device_session_id, status from dovecote.notification_routes"
        " where channel = 'push' order by 1"
    ).fetchall()
    assert found == [("phone", "skipped"), ("tablet", "pending")]


def test_what_sns_tells_of_a_device_skips_what_waits_for_it(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    put(functions)
    (endpoint,) = provider.provider.registry.endpoints
    notification = post_scheduled(functions, connection).body["notification_id"]
    told = {
        "EventType": "DeliveryFailure",
        "FailureType": "EndpointDisabled",
        "EndpointArn": endpoint,
        "Time": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(),
    }
    assert functions.feedback(json.dumps(told)) == {"batchItemFailures": []}
    assert functions.call("GET", PHONE).body["devices"][0]["dead_at"] is not None
    routes = functions.call("GET", f"/notifications/{notification}").body["routes"]
    assert ("skipped", GONE) in [(route["status"], route["last_error"]) for route in routes]
    put(functions)
    assert functions.call("GET", PHONE).body["devices"][0]["dead_at"] is None


# In the store

STATES = {
    "pending": ("", "skipped"),
    "retrying": ("status = 'retrying', lane = lane | 1, attempts = 1, claims = 1", "skipped"),
    "held by a worker": (
        "claim_token = gen_random_uuid(), leased_until = clock_timestamp() + interval '1 minute',"
        " attempts = 1, claims = 1",
        "pending",
    ),
    "in doubt": (
        "status = 'retrying', lane = lane | 1, doubt_until = clock_timestamp()", "retrying",
    ),
    "ended": ("status = 'cancelled', next_attempt_at = null", "cancelled"),
    "to the topic": ("target = 'topic'", "pending"),
    "to another device": ("device_session_id = 'tablet'", "pending"),
    "to another user's": ("user_id = 'u-2'", "pending"),
}  # fmt: skip


def a_device(user: str = "u-1", session: str = "phone") -> Device:
    return Device(
        user_id=user, device_session_id=session, platform="fcm", token=session,
        endpoint=f"arn:{user}/{session}",
    )  # fmt: skip


def a_push(session: str = "phone", **more: Any) -> Any:
    return a_route("push", target=Target.DEVICE, user_id="u-1", device_session_id=session, **more)


@pytest.mark.parametrize("state", STATES)
def test_a_dead_device_skips_what_waits_for_it_and_leaves_alone_what_may_be_sent(
    store: Store, devices: PostgresDevices, connection: Connection, state: str
) -> None:
    becomes, status = STATES[state]
    devices.put(a_device())
    stored(store, a_notification([a_push()]))
    if becomes:
        connection.execute(
            f"update dovecote.notification_routes set {becomes}".encode()  # noqa: S608 - our own
        )
    assert store.mark_device_dead("arn:u-1/phone", datetime.now(UTC))
    assert connection.execute("select status from dovecote.notification_routes").fetchone() == (
        status,
    )
    told = connection.execute("select event, reason from dovecote.notification_events").fetchall()
    assert told == ([("skipped", GONE)] if status == "skipped" else [])


def test_a_send_that_finds_a_device_dead_skips_what_else_waits_for_it(
    store: Store, devices: PostgresDevices, connection: Connection
) -> None:
    devices.put(a_device())
    stored(store, a_notification([a_push()]))
    (claim,) = claim_all(store)
    stored(store, a_notification([a_push(), a_push("tablet")]))
    outcome = Permanent(error="no", dead_endpoint="arn:u-1/phone")
    a_finaliser(log=RecordingLog()).settle(store, [Result(claim=claim, outcome=outcome)], until=0)
    found = connection.execute(
        "select device_session_id, status, attempts from dovecote.notification_routes"
        " order by created_at, position"
    ).fetchall()
    assert found == [
        ("phone", "dead_lettered", 1), ("phone", "skipped", 0), ("tablet", "pending", 0),
    ]  # fmt: skip


@pytest.mark.timed
def test_a_route_that_somebody_has_locked_is_not_waited_for(
    store: Store, devices: PostgresDevices, connection: Connection, database_url: str
) -> None:
    devices.put(a_device())
    stored(store, a_notification([a_push(), a_push()]))
    with psycopg.connect(database_url) as other:
        other.execute("select from dovecote.notification_routes where position = 0 for update")
        began = time.monotonic()
        devices.delete("u-1", "phone")
        assert time.monotonic() - began < 1  # lock_timeout is 2 s
        other.rollback()
    found = connection.execute(
        "select status from dovecote.notification_routes order by position"
    ).fetchall()
    assert found == [("pending",), ("skipped",)]


def test_devices_that_die_while_their_routes_are_claimed_and_cancelled_meet_no_deadlock(
    store: Store, devices: PostgresDevices, connection: Connection, database_url: str
) -> None:
    sessions = [f"d-{number}" for number in range(8)]
    notifications = [a_notification([a_push(session) for session in sessions]) for _ in range(40)]
    for session in sessions:
        devices.put(a_device(session=session))
    for notification in notifications:
        stored(store, notification)
    ids = [notification.notification_id for notification in reversed(notifications)]
    side_by_side(
        database_url,
        lambda own: [PostgresDevices(own, HASHES).delete("u-1", session) for session in sessions],
        lambda own: [claim_all(a_store(own), batch=8) for _ in range(20)],
        lambda own: [a_store(own).cancel(notification_id) for notification_id in ids],
    )
    assert deadlocks(connection) == 0
    untouched = " where status = 'pending' and claim_token is null"
    assert count(connection, "notification_routes" + untouched) == 0
    skipped = count(connection, "notification_routes where status = 'skipped'")
    assert skipped == count(connection, "notification_events where event = 'skipped'")


def a_store(database: Database) -> Store:
    return Store(database, default_max_attempts=DEFAULT_MAX_ATTEMPTS)


def side_by_side(url: str, *works: Callable[[Database], Any]) -> None:
    """Do works at the same time, each on a connection of its own."""

    def alone(work: Callable[[Database], Any]) -> None:
        own = Database(lambda: psycopg.connect(url, autocommit=True, prepare_threshold=None))
        try:
            work(own)
        finally:
            own.close()

    with ThreadPoolExecutor() as executor:
        list(executor.map(alone, works))


def count(connection: Connection, what: str) -> int:
    found = connection.execute(f"select count(*) from dovecote.{what}".encode()).fetchone()  # noqa: S608 - a test's own words
    assert found is not None
    return int(found[0])


def deadlocks(connection: Connection) -> int:
    connection.execute("select pg_stat_force_next_flush()")
    found = connection.execute(
        "select deadlocks from pg_stat_database where datname = current_database()"
    ).fetchone()
    assert found is not None
    return int(found[0])


def test_what_is_wrong_with_a_device_is_said_in_words(functions: Functions) -> None:
    device = {"user_id": "u-1", "device_session_id": "d-1", "platform": "apns", "token": "\n"}
    answer = functions.call("PUT", "/devices", json.dumps(device).encode())
    assert (answer.status, answer.headers["content-type"]) == (422, PROBLEM)
    fault = {"pointer": "/token", "detail": "has characters that are not allowed"}
    assert answer.body["errors"] == [fault]
