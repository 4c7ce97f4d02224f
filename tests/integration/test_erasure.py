"""People are erased: whoever holds their routes, whatever comes afterwards, and nobody else."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.claim import Claim
from dovecote.core.errors import StoreUnavailable
from dovecote.core.feedback import Feedback, Verdict
from dovecote.core.notification import PeopleErased
from dovecote.core.outcome import Ambiguous, Delivered, Failed, Outcome, Result
from dovecote.core.transitions import Refusal
from dovecote.people import erasure
from dovecote.store.database import Connection as OwnConnection
from dovecote.store.database import Database
from dovecote.store.people.erasure import PostgresErasure
from dovecote.store.people.places import BEGINNING
from dovecote.store.queries import rows
from dovecote.store.statements import statement
from dovecote.wiring import api
from local.provider import Fault, Running
from tests.builders import (
    CHANNEL,
    ScriptedChannel,
    a_dispatch,
    a_finaliser,
    a_lease,
    a_notification,
    a_route,
    a_submission,
    claim_all,
    claim_lapsed,
    enter_people,
    forever,
    misfiled,
    redrive_one,
    stored,
)
from tests.functions import Functions, environment, run_functions
from tests.integration.test_http import assert_problem
from tests.sending import PERMANENT, order, recipient
from tests.store import HASHES, Store

Connection = psycopg.Connection[Any]
HOLDS = dict.fromkeys(NAMES, 0.0) | {CHANNEL: 300.0}
ADDRESSED = "email" in recipient()

ANN, BEN = "success+ann@simulator.amazonses.com", "success+ben@simulator.amazonses.com"
CANARY = "canary-7f3a"
NOTHING = {"erased": 0, "in_flight": 0, "devices": 0, "remaining": False}
PERSON = "user_id, device_session_id, address, locale, data, last_error"


def person(user_id: str, address: str, **more: Any) -> dict[str, Any]:
    """Return a recipient with the fields that the registered channels know."""
    fields = {"user_id": user_id, "email": address}
    return {field: fields[field] for field in recipient()} | more


def a_body(**overrides: Any) -> dict[str, Any]:
    body = {
        "kind": "order.shipped",
        "idempotency_key": "order-1",
        "payload": {"order_id": CANARY, "carrier": "DHL"},
        "recipients": [person("u-1", ANN, locale="de", data={"first_name": CANARY})],
    }
    return body | overrides


@pytest.fixture
def idle(database_url: str, provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    """The functions, of which submit tries nothing at once."""
    values = environment(database_url, provider.url, catalog_folder, INLINE_ROUTES="0")
    with run_functions(values) as wired:
        yield wired


@pytest.fixture
def people(database_url: str) -> Iterator[PostgresErasure]:
    database = Database(
        lambda: OwnConnection.connect(database_url, autocommit=True, prepare_threshold=None)
    )
    yield PostgresErasure(database, HASHES)
    database.close()


USER = "/users?user_id=u-1"


def erase(functions: Functions, path: str, **expected: Any) -> None:
    answer = functions.call("DELETE", path)
    assert answer.status == 200
    assert answer.body == {**NOTHING, **expected}


def key_of(address: str) -> bytes:
    return HASHES.address(address)


def suppressed(connection: Connection) -> dict[bytes, tuple[str | None, str]]:
    found = connection.execute("select person_hash, address, reason from suppressions").fetchall()
    return {bytes(key): (email, reason) for key, email, reason in found}


def fetched(connection: Connection, query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()


def stored_text(connection: Connection) -> str:
    """Return all that is stored, as text."""
    tables = fetched(
        connection, "select tablename from pg_tables where schemaname = 'dovecote' order by 1"
    )
    return "\n".join(
        str(row)
        for (table,) in tables
        for row in fetched(connection, f"select t::text from {table} t")  # noqa: S608
    )


# Who is erased from what.


def test_a_person_is_erased_from_all_that_is_stored(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    one = person("u-1", ANN, data={"first_name": CANARY})
    erase_all_of(USER, one, len(NAMES), functions, connection, provider)
    addresses = {key_of(ANN): (None, "erased")} if ADDRESSED else {}
    assert suppressed(connection) == {HASHES.user("u-1"): (None, "erased"), **addresses}


def erase_all_of(
    path: str,
    one: dict[str, Any],
    routes: int,
    functions: Functions,
    connection: Connection,
    provider: Running,
) -> None:
    """Refuse a message to a recipient, who is then erased by a path; find nothing left of them."""
    order(provider, Fault.ERROR, times=1, **PERMANENT | {"message": f"no {ANN}"})
    functions.post(a_body(recipients=[one]))
    said = f"= 'said of {ANN}'"
    connection.execute(f"update notification_dead_letters set error {said}".encode())  # noqa: S608
    connection.execute(f"update notification_events set detail {said}".encode())  # noqa: S608
    connection.execute(
        f"update notification_routes set last_error {said} where channel = %s".encode(),  # noqa: S608
        (CHANNEL,),
    )
    erase(functions, path, erased=routes)
    text = stored_text(connection)
    assert not [word for word in (CANARY, ANN, "u-1") if word in text]
    noted = fetched(connection, "select count(*) from notification_events where event = 'erased'")
    assert noted == [(routes,)]
    erase(functions, path)
    assert noted == fetched(
        connection, "select count(*) from notification_events where event = 'erased'"
    )


def test_what_is_still_to_be_sent_is_cancelled_and_a_replay_sends_to_nobody(
    idle: Functions, connection: Connection, provider: Running
) -> None:
    first = idle.post(a_body())
    erase(idle, USER, erased=len(NAMES))
    again = idle.post(a_body())
    assert again.status == 202
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body["notification_id"] == first.body["notification_id"]
    first_route, *others = again.body["routes"]
    erased = (first_route["status"], first_route["address"], first_route["user_id"])
    assert erased == ("cancelled", None, None)
    assert [(one["status"], one["last_error"]) for one in others] == [
        ("skipped", None) for _ in NAMES[1:]
    ]
    idle.dispatch()
    assert provider.provider.ledger.accepted == []


def test_others_of_the_same_notification_keep_theirs_and_its_payload(
    idle: Functions, connection: Connection, provider: Running
) -> None:
    named = {"data": {"first_name": "N"}}
    two = [person("u-1", ANN, **named), person("u-2", BEN, **named)]
    assert idle.post(a_body(recipients=two)).status == 202
    erase(idle, USER, erased=len(NAMES))
    ((payload,),) = fetched(connection, "select payload from notification_payloads")
    assert CANARY in payload
    assert idle.dispatch()["published"] == 1
    (accepted,) = provider.provider.ledger.accepted
    assert (BEN if ADDRESSED else "u-2") in str(accepted)
    erase(idle, "/users?user_id=u-2", erased=len(NAMES))
    assert fetched(connection, "select payload from notification_payloads") == []


def test_two_erasures_of_one_notification_at_once_leave_no_payload(
    store: Store, connection: Connection, database_url: str, people: PostgresErasure
) -> None:
    routes = [a_route(user_id="u-1"), a_route(user_id="u-2", address=BEN)]
    stored(store, a_notification(routes, submission=a_submission(payload={"a": CANARY})))
    thread = threading.Thread(target=lambda: next(people.erase_user("u-2", 100)))
    with psycopg.connect(database_url) as other:
        asked = {"user_id": "u-1", "most": 100, **BEGINNING}
        (found,) = rows(other, "people/lock_routes_of_user", asked)
        other.execute(statement("people/erase"), {"route_ids": [found["route_id"]]})
        thread.start()
        waiting_for_a_lock(connection)
    thread.join()
    assert fetched(connection, "select payload from notification_payloads") == []


def waiting_for_a_lock(connection: Connection) -> None:
    while not fetched(connection, "select 1 from pg_stat_activity where wait_event_type = 'Lock'"):
        time.sleep(0.01)


def test_what_another_erasure_takes_is_passed_by_and_does_not_end_this_one(
    connection: Connection, database_url: str, people: PostgresErasure
) -> None:
    many(connection, 5)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(next(people.erase_user("u-1", 2))))
    with psycopg.connect(database_url) as other:
        asked = {"person_hash": key_of("ann@example.com"), "most": 2, **BEGINNING}
        found = rows(other, "people/lock_routes_of_address", asked)
        thread.start()
        waiting_for_a_lock(connection)
        other.execute(statement("people/erase"), {"route_ids": [row["route_id"] for row in found]})
    thread.join()
    assert [(one.routes, one.remaining) for one in answers] == [(2, True)]
    assert next(people.erase_user("u-1", 2)).routes == 1
    assert fetched(connection, "table user_routes") == []
    assert misfiled(connection) == []


def test_an_erasure_waits_for_a_submit_in_flight_and_erases_what_it_stored(
    store: Store, connection: Connection, database_url: str, people: PostgresErasure
) -> None:
    thread = threading.Thread(target=lambda: people.suppress_user("u-1"))
    with psycopg.connect(database_url) as other:
        early = Store(Database(lambda: other), default_max_attempts=5)
        other.execute("select 1")  # begins a transaction, in which the submit stays open
        stored(early, a_notification([a_route(), a_route()]))
        thread.start()
        waiting_for_a_lock(connection)
    thread.join()
    assert next(people.erase_user("u-1", 100)).routes == 2
    assert misfiled(connection) == fetched(connection, "table user_routes") == []


def test_a_submit_waits_for_an_erasure_in_flight_and_stores_nothing_of_the_person(
    store: Store, connection: Connection, database_url: str
) -> None:
    def submit() -> None:
        with pytest.raises(PeopleErased):
            store.submit(a_notification([a_route()]), a_lease())
        finished.append(True)

    finished: list[bool] = []
    thread = threading.Thread(target=submit)
    with psycopg.connect(database_url) as other:
        own = PostgresErasure(Database(lambda: other), HASHES)
        other.execute("select 1")
        own.suppress_user("u-1")
        thread.start()
        waiting_for_a_lock(connection)
    thread.join()
    assert finished == [True]
    assert fetched(connection, "table notifications") == []


def test_an_erasure_that_waits_too_long_for_a_submit_changes_nothing(
    store: Store, connection: Connection, database_url: str, people: PostgresErasure
) -> None:
    with psycopg.connect(database_url) as other:
        early = Store(Database(lambda: other), default_max_attempts=5)
        other.execute("select 1")
        stored(early, a_notification([a_route()]))
        with pytest.raises(StoreUnavailable):
            people.suppress_user("u-1")
    assert suppressed(connection) == {}


# In flight.


def a_claim(store: Store, seconds: float = 60) -> Claim:
    stored(store, a_notification([a_route()]))
    (claim,) = claim_all(store, seconds)
    return claim


def settle(store: Store, claim: Claim, outcome: Outcome) -> None:
    a_finaliser(holds=HOLDS).settle(store, [Result(claim=claim, outcome=outcome)], until=0)


def row(connection: Connection, columns: str) -> Any:
    (found,) = fetched(connection, f"select {columns} from notification_routes")  # noqa: S608
    return found


def make_due(connection: Connection) -> None:
    connection.execute(
        "update notification_routes set next_attempt_at = now() where next_attempt_at is not null"
    )


def sent_by_nobody(store: Store, connection: Connection) -> str:
    """Run dispatch; return the reason of the dead letter that the route ended as."""
    make_due(connection)
    channel = ScriptedChannel()
    assert a_dispatch(store, channel, holds=HOLDS)(forever)["dead_lettered"] == 1
    assert channel.asked == []
    ((reason,),) = fetched(connection, "select reason from notification_dead_letters")
    return str(reason)


def in_flight(people: PostgresErasure) -> None:
    erased = next(people.erase_user("u-1", 100))
    assert (erased.routes, erased.in_flight) == (1, 1)


def test_a_send_in_flight_that_arrives_is_published_without_its_person(
    store: Store, connection: Connection, people: PostgresErasure
) -> None:
    claim = a_claim(store)
    in_flight(people)
    settle(store, claim, Delivered(message_id="m-1"))
    assert row(connection, f"status, {PERSON}") == ("published", *[None] * 6)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(Failed(error="no luck"), "expired"), (Ambiguous(error="lost"), "ambiguous")],
)
def test_a_send_in_flight_that_fails_is_not_sent_again(
    store: Store,
    connection: Connection,
    people: PostgresErasure,
    outcome: Outcome,
    reason: str,
) -> None:
    claim = a_claim(store)
    in_flight(people)
    settle(store, claim, outcome)
    assert row(connection, "status") == ("retrying",)
    assert sent_by_nobody(store, connection) == reason


def test_what_is_in_doubt_is_in_flight_and_not_sent_again(
    store: Store, connection: Connection, people: PostgresErasure
) -> None:
    settle(store, a_claim(store), Ambiguous(error="lost"))
    in_flight(people)
    assert row(connection, "doubt_until is not null, last_error") == (True, None)
    assert sent_by_nobody(store, connection) == "ambiguous"


def test_a_lease_that_ran_out_is_in_flight_and_not_sent_again(
    store: Store, connection: Connection, people: PostgresErasure
) -> None:
    a_claim(store, seconds=0)
    in_flight(people)
    claim = claim_lapsed(store)
    assert claim is not None
    assert (claim.counted, claim.address, claim.data) == (False, None, None)
    settle(store, claim, Failed(error="not asked"))
    assert row(connection, "status") == ("dead_lettered",)


def test_what_is_given_back_is_not_sent_again(
    store: Store, connection: Connection, people: PostgresErasure
) -> None:
    claim = a_claim(store)
    in_flight(people)
    with store.transaction() as transaction:
        transaction.give_back(claim.token, [claim.route_id], lapsed=False, hold=0)
    assert sent_by_nobody(store, connection) == "expired"


def test_a_claim_that_comes_first_is_seen_by_the_erasure_that_waits_for_it(
    store: Store, connection: Connection, database_url: str, people: PostgresErasure
) -> None:
    stored(store, a_notification([a_route()]))
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(next(people.erase_user("u-1", 100))))
    with psycopg.connect(database_url) as other:
        other.execute(
            "update notification_routes set claims = 1, attempts = 1,"
            " claim_token = gen_random_uuid(), leased_until = now() + interval '1 minute'"
        )
        thread.start()
        waiting_for_a_lock(connection)
    thread.join()
    assert [(one.routes, one.in_flight) for one in answers] == [(1, 1)]
    assert row(connection, "status, user_id, expires_at <= now()") == ("pending", None, True)


def test_an_erasure_that_comes_first_leaves_nothing_to_claim(
    store: Store, connection: Connection, database_url: str
) -> None:
    stored(store, a_notification([a_route()]))
    with psycopg.connect(database_url) as other:
        (found,) = rows(
            other, "people/lock_routes_of_user", {"user_id": "u-1", "most": 100, **BEGINNING}
        )
        assert claim_all(store) == []
        rows_of = {"route_ids": [found["route_id"]]}
        other.execute(statement("people/erase"), rows_of)
    assert claim_all(store) == []
    assert row(connection, "status") == ("cancelled",)


# What comes afterwards.


def test_an_erased_dead_letter_is_not_redriven(
    idle: Functions, store: Store, connection: Connection, people: PostgresErasure
) -> None:
    settle(store, a_claim(store), Failed(error="no luck"))
    connection.execute("update notification_routes set attempts = 3, claims = 3")
    make_due(connection)
    a_dispatch(store, ScriptedChannel())(forever)
    ((route_id, status),) = fetched(connection, "select route_id, status from notification_routes")
    assert status == "dead_lettered"
    assert next(people.erase_user("u-1", 100)).in_flight == 0
    later = json.dumps({"expires_at": "2999-01-01T00:00:00Z"}).encode()
    answer = idle.call("POST", f"/dead-letters/{route_id}/redrive", later)
    assert_problem(answer, 409)
    assert "was erased" in answer.body["detail"]
    assert redrive_one(store, route_id) is Refusal.ERASED


@pytest.mark.parametrize(
    ("known", "status"), [(Verdict.ACCEPTED, "published"), (Verdict.NOT_SENT, "dead_lettered")]
)
def test_an_event_settles_what_was_in_flight_and_brings_nobody_back(
    store: Store,
    connection: Connection,
    people: PostgresErasure,
    known: Verdict,
    status: str,
) -> None:
    claim = a_claim(store)
    in_flight(people)
    feedback = Feedback(
        route_id=claim.route_id, claim=claim.claims, message_id="m-1", known=known, error="SES"
    )
    assert store.record_feedback(feedback)
    assert row(connection, f"status, {PERSON}")[:6] == (status, *[None] * 5)


# Large, wrong, and as its own user.


def many(connection: Connection, routes: int) -> None:
    connection.execute(
        "with n as (insert into notifications"
        "  (notification_id, kind, idempotency_key, fingerprint)"
        "  select uuidv7(), 'order.shipped', gen_random_uuid()::text, 'f'"
        "  from generate_series(1, %s) i returning notification_id),"
        " p as (insert into notification_payloads"
        "  select notification_id, -1, '{\"a\": 1}' from n)"
        " insert into notification_routes (route_id, notification_id, position, channel, target,"
        "  user_id, address, address_hash, data, priority, lane, status, max_attempts, expires_at,"
        "  published_at)"
        " select uuidv7(), notification_id, 0, 'email', 'address', 'u-1', 'ann@example.com',"
        "  %s, '{}', 1, 2, 'published', 8, now(), now() from n",
        (routes, key_of("ann@example.com")),
    )
    enter_people(connection)


@pytest.mark.parametrize("person", ["user", "address"])
def test_an_erasure_reads_each_entry_of_a_person_once(
    database_url: str, people: PostgresErasure, connection: Connection, person: str
) -> None:
    erase_batches = {
        "user": lambda: people.erase_user("u-1", 100),
        "address": lambda: people.erase_address("Ann@example.com", 100),
    }[person]
    read = []
    for routes in (500, 2_000):
        before = entries_read(database_url)
        many(connection, routes)
        connection.execute("vacuum analyze user_routes, address_routes")
        batches = erase_batches()
        assert sum(one.routes for one in islice(batches, routes // 100)) == routes
        people.database.close()
        read.append(entries_read(database_url) - before)
    assert read[1] < 5 * read[0], "four times as many routes"


def entries_read(database_url: str) -> int:
    """Return how many entries of users and addresses all statements have read so far."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        found = connection.execute(
            "select sum(idx_tup_read) from pg_stat_user_indexes"
            " where relname in ('user_routes', 'address_routes')"
        ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.timed
def test_thousands_of_routes_are_erased_within_an_answer(
    idle: Functions, connection: Connection
) -> None:
    many(connection, 20_000)
    begun = time.monotonic()
    erase(idle, USER, erased=20_000)
    assert time.monotonic() - begun < 5
    assert fetched(connection, "select payload from notification_payloads") == []


def test_what_there_is_no_time_for_remains_and_is_erased_the_next_time(
    idle: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(connection, 5)
    monkeypatch.setattr(erasure, "MOST", 2)
    clock = iter([0.0, 0.0, 0.0, 9.0])
    monkeypatch.setattr(api.erasure(), "clock", lambda: next(clock))
    erase(idle, USER, erased=4, remaining=True)
    clock = iter([0.0, 0.0])
    erase(idle, USER, erased=1)


@pytest.mark.parametrize(
    "path",
    [
        "/users",
        "/users?",
        "/users?user_id=",
        "/users?user_id",
        "/users?user_id=%00",
        "/users?user_id=%20",
        "/users?user_id=+",
        "/users?user_id=%C2%9B",
        "/users?user_id=a%0Ab",
        f"/users?user_id={'x' * 256}",
        "/users?email=ann@example.com",
        "/users?user_id=u&x=1",
        "/recipients",
        "/recipients?email=",
        "/recipients?email=ann",
        "/recipients?email=a@b@c",
        "/recipients?user_id=u-1",
    ],
)
def test_what_names_nobody_is_refused_in_words_that_repeat_nothing(
    idle: Functions, connection: Connection, path: str
) -> None:
    answer = idle.call("DELETE", path)
    assert_problem(answer, 422)
    value = path.rpartition("=")[2]
    assert len(value) < 3 or value not in json.dumps(answer.body)
    assert suppressed(connection) == {}
