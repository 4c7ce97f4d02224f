"""A submission after an erasure is stored without the person, and sends nothing."""

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.parsing.settings import BadSettings
from dovecote.store.database import Database
from dovecote.store.people.erasure import PostgresErasure
from local.provider import Running
from tests.builders import a_notification, a_route, misfiled, stored
from tests.functions import Functions, environment, run_functions
from tests.integration.test_erasure import (
    ANN,
    BEN,
    CANARY,
    a_body,
    erase,
    fetched,
    idle,
    key_of,
    people,
    person,
    stored_text,
    suppressed,
    waiting_for_a_lock,
)
from tests.integration.test_http import assert_problem
from tests.store import Store

Connection = psycopg.Connection[Any]
__all__ = ["idle", "people"]

pytestmark = pytest.mark.channels("email", "push")

USER = "/users?user_id=u-1"
ADDRESS = f"/recipients?email={quote(ANN, safe='')}"
LIFT = "/suppressions?user_id=u-1"
DATA = {"data": {"first_name": CANARY}}


def in_sql(functions: Functions, body: dict[str, Any], connection: Connection) -> None:
    """Submit in SQL, and expand the submission."""
    values = [json.dumps(body[name]) for name in ("payload", "recipients")]
    connection.execute(
        "select dovecote.submit('order.shipped', %s, %s, %s)", (body["idempotency_key"], *values)
    )
    assert functions.expand()["expanded"] == 1


WAYS: Mapping[str, Callable[[Functions, dict[str, Any], Connection], object]] = {
    "HTTP": lambda functions, body, _: functions.post(body),
    "a batch": lambda functions, body, _: functions.post_batch([body]),
    "the queue": lambda functions, body, _: functions.submit_messages(json.dumps(body)),
    "SQL": in_sql,
}
PEOPLE: Mapping[str, tuple[str, dict[str, Any]]] = {
    "a user": (USER, {"user_id": "u-1"}),
    "a user with an address": (USER, {"user_id": "u-1", "email": BEN}),
    "an address": (ADDRESS, {"email": ANN, "device_session_id": "phone", "locale": "de"}),
    "an address in upper case": (ADDRESS, {"email": ANN.upper()}),
    "an address with another domain's spelling": (
        "/recipients?email=ann@xn--mnchen-3ya.example.com",
        {"email": "ann@m\u00fcnchen.example.com"},
    ),
}


def assert_nothing_stored(connection: Connection, *more: str) -> None:
    """Assert that the store has no word of a person or of their data."""
    text = stored_text(connection).lower()
    words = (CANARY, ANN, BEN, "nchen.example", "u-1", "phone", *more)
    assert not [word for word in words if word in text]
    assert fetched(connection, "table user_routes") == []
    assert fetched(connection, "table address_routes") == []


CASES = [*((way, "a user with an address") for way in WAYS), *(("HTTP", who) for who in PEOPLE)]


@pytest.mark.parametrize(("way", "who"), sorted(set(CASES)))
def test_a_submission_for_an_erased_person_stores_and_sends_nothing(
    functions: Functions, connection: Connection, provider: Running, way: str, who: str
) -> None:
    path, recipient = PEOPLE[who]
    erase(functions, path)
    WAYS[way](functions, a_body(recipients=[recipient | DATA]), connection)
    assert_nothing_stored(connection)
    assert fetched(connection, "select payload from notification_payloads") == [("{}",)]
    routes = fetched(connection, "select status, last_error from notification_routes")
    assert ("skipped", "recipient is erased") in routes
    assert {status for status, _ in routes} == {"skipped"}
    assert functions.dispatch().get("published", 0) == 0
    assert provider.provider.ledger.accepted == []


def test_a_repeated_submission_for_an_erased_person_is_a_replay(functions: Functions) -> None:
    erase(functions, USER)
    first, again = functions.post(a_body()), functions.post(a_body())
    assert (first.status, again.status) == (202, 202)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body["notification_id"] == first.body["notification_id"]
    assert_problem(functions.post(a_body(payload={"order_id": "2", "carrier": "DHL"})), 422)


def test_a_scheduled_submission_for_an_erased_person_stores_nothing(
    functions: Functions, connection: Connection
) -> None:
    erase(functions, USER)
    later = a_body(deliver_at="2999-01-01T00:00:00Z", recipients=[{"user_id": "u-1"} | DATA])
    assert functions.post(later).status == 202
    assert_nothing_stored(connection)


def test_the_other_recipients_of_a_notification_get_it(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    erase(functions, USER)
    two = [person("u-1", ANN, **DATA), person("u-2", BEN, data={"first_name": "N"})]
    assert functions.post(a_body(recipients=two)).status == 202
    functions.dispatch()
    assert [BEN in str(one) for one in provider.provider.ledger.accepted].count(True) >= 1
    assert ANN not in str(provider.provider.ledger.accepted)
    text = stored_text(connection)
    assert ANN not in text
    assert "u-1" not in text
    assert CANARY in text  # in the payload, which u-2 shares
    assert misfiled(connection) == []


def test_an_erased_address_takes_nothing_from_other_channels_of_a_user(
    functions: Functions, connection: Connection
) -> None:
    erase(functions, ADDRESS)
    functions.post(a_body(recipients=[person("u-2", ANN, **DATA)]))
    routes = fetched(
        connection,
        "select channel, user_id, address, data is null, last_error from notification_routes"
        " where channel in ('email', 'push') order by channel, position",
    )
    assert routes[0] == ("email", None, None, True, "recipient is erased")
    assert routes[1][:2] == ("push", "u-2")


@pytest.mark.parametrize("reason", ["bounced", "complained", "manual"])
def test_another_suppression_keeps_the_person_of_its_routes(
    functions: Functions, connection: Connection, reason: str
) -> None:
    connection.execute(
        "insert into suppressions (person_hash, reason) values (%s, %s)", (key_of(ANN), reason)
    )
    functions.post(a_body(recipients=[{"email": ANN} | DATA]))
    found = fetched(connection, "select address, last_error from notification_routes")
    assert found[0] == (ANN, f"address is suppressed: {reason}")


# Devices, and how an operator lifts an erasure.


def register(functions: Functions) -> Any:
    device = {"user_id": "u-1", "device_session_id": "s-1", "platform": "fcm", "token": "t" * 99}
    return functions.call("PUT", "/devices", json.dumps(device).encode())


def test_an_erased_user_registers_no_device_until_an_operator_lifts_the_erasure(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    assert_problem(functions.call("GET", LIFT), 404)
    erase(functions, USER)
    refused = register(functions)
    assert_problem(refused, 409)
    assert "u-1" not in refused.body["detail"]
    assert len(provider.provider.registry.endpoints) == 0
    shown = functions.call("GET", LIFT)
    assert (shown.body.pop("created_at") != "", shown.body) == (
        True,
        {"user_id": "u-1", "reason": "erased"},
    )
    assert_problem(functions.call("DELETE", f"{LIFT}&release=true"), 422)
    assert functions.call("DELETE", LIFT).body == {"released": 0}
    assert_problem(functions.call("DELETE", LIFT), 404)
    assert suppressed(connection) == {}
    functions.post(a_body(recipients=[{"user_id": "u-1"} | DATA]))
    ((user_id,), *_) = fetched(connection, "select user_id from notification_routes")
    assert user_id == "u-1"


@pytest.mark.parametrize("query", ["", "?", "?email=ann@example.com&user_id=u-1", "?user_id="])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_suppression_is_of_one_person(functions: Functions, method: str, query: str) -> None:
    assert_problem(functions.call(method, f"/suppressions{query}"), 422)


# At the same time.


def test_an_address_that_is_submitted_while_its_user_is_erased_is_not_suppressed(
    store: Store, connection: Connection, database_url: str, people: PostgresErasure
) -> None:
    """A route without a user may be another person's, and keeps its address."""
    stored(store, a_notification([a_route("email")]))
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(next(people.erase_user("u-1", 100))))
    with psycopg.connect(database_url) as other:
        early = Store(Database(lambda: other), default_max_attempts=5)
        other.execute("select 1")
        stored(early, a_notification([a_route("email", user_id=None)]))
        thread.start()
        waiting_for_a_lock(connection)
    thread.join()
    assert [one.routes for one in answers] == [1]
    assert suppressed(connection) == {}


# The kept hashes confirm no guess.


def test_no_plain_digest_of_a_guess_is_stored(functions: Functions, connection: Connection) -> None:
    functions.post(a_body(recipients=[{"email": ANN} | DATA]))
    functions.post(a_body(recipients=[{"user_id": "u-1"} | DATA], idempotency_key="2"))
    erase(functions, ADDRESS, erased=1)
    erase(functions, USER, erased=len(NAMES))
    kept = {one for (one,) in fetched(connection, "select fingerprint from notifications")}
    kept |= set(suppressed(connection))
    guesses = [ANN.encode(), b"u-1", json.dumps(a_body()["payload"]).encode()]
    plain = {
        one(guess).digest()[:16]
        for guess in guesses
        for one in (hashlib.sha256, hashlib.sha512, hashlib.md5)
    }
    assert len(kept) == 4
    assert not kept & plain
    assert {len(one) for one in kept} == {16}


def test_submit_and_api_refuse_to_work_without_the_key(
    database_url: str, provider: Running, catalog_folder: Path
) -> None:
    values = environment(database_url, provider.url, catalog_folder, PERSON_HASH_KEY="")
    with run_functions(values) as functions:
        with pytest.raises(BadSettings, match=r"^PERSON_HASH_KEY: is not set"):
            functions.post(a_body(idempotency_key=str(uuid.uuid4())))
        with pytest.raises(BadSettings, match=r"^PERSON_HASH_KEY: is not set"):
            functions.call("DELETE", USER)
        assert functions.dispatch() is not None
