"""Finding: the notifications of a person, and the story of each route."""

import json
import uuid
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from dovecote.core.parsing import queries
from dovecote.store.statements import statement
from local.provider import Fault, Running
from tests.builders import (
    ADDRESS,
    CHANNEL,
    a_lease,
    a_notification,
    a_route,
    claim_all,
    claim_lapsed,
    enter_people,
    redrive_one,
    stored,
)
from tests.functions import Answer, Functions
from tests.integration.test_http import assert_problem
from tests.integration.test_plans import nodes
from tests.sending import OTHERS, PERMANENT, a_body, channel_body, order, recipient
from tests.store import HASHES, Store

Connection = psycopg.Connection[Any]


def find(functions: Functions, **query: object) -> Answer:
    return functions.call("GET", f"/notifications?{urlencode(query)}")


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [one["notification_id"] for one in answer.body["notifications"]]


def a_recipient(number: int) -> dict[str, Any]:
    return recipient(number, data={"first_name": "Bea"})


def post(functions: Functions, number: int, **overrides: Any) -> str:
    body = a_body(idempotency_key=f"order-{number}", deliver_at="2999-01-01T00:00:00Z")
    return str(functions.post(body | overrides).body["notification_id"])


# Of one person.


def test_a_user_s_notifications_are_paged_newest_first(functions: Functions) -> None:
    posted = [post(functions, number) for number in range(5)]
    post(functions, 6, recipients=[a_recipient(2)])
    first = find(functions, user_id="u-1", limit=2)
    second = find(functions, user_id="u-1", limit=2, after=first.body["next"])
    third = find(functions, user_id="u-1", limit=2, after=second.body["next"])
    assert ids(first) + ids(second) + ids(third) == posted[::-1]
    assert third.body["next"] is None
    assert ids(find(functions, user_id="u-1")) == posted[::-1]
    assert ids(find(functions, user_id="nobody")) == []


def test_of_many_recipients_one_sees_the_own_routes_alone(functions: Functions) -> None:
    recipients = [*a_body()["recipients"], a_recipient(2), a_recipient(3)]
    posted = post(functions, 1, recipients=recipients)
    (found,) = find(functions, user_id="u-3").body["notifications"]
    assert found["notification_id"] == posted
    assert [(route["channel"], route["user_id"]) for route in found["routes"]] == [
        (name, "u-3") for name in (CHANNEL, *OTHERS)
    ]
    assert "history" not in found["routes"][0]


def test_a_key_finds_one_notification_with_all_of_its_routes(functions: Functions) -> None:
    posted = post(functions, 1)
    answer = find(functions, kind="order.shipped", idempotency_key="order-1")
    assert ids(answer) == [posted]
    (found,) = answer.body["notifications"]
    assert [route["channel"] for route in found["routes"]] == [CHANNEL, *OTHERS]
    assert answer.body["next"] is None
    assert ids(find(functions, kind="order.shipped", idempotency_key="another")) == []


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "nothing": (
        {},
        "must have user_id, or email, or kind and idempotency_key without after and limit",
    ),
    "two ways": ({"user_id": "u", "email": ADDRESS}, "must have user_id, or email"),
    "half a key": ({"kind": "order.shipped"}, "must have user_id, or email"),
    "a page of a key": ({"kind": "k", "idempotency_key": "i", "limit": "2"}, "must have user_id"),
    "another parameter": (
        {"user_id": "u", "colour": "red"},
        "colour: is not a parameter of this call",
    ),
    "no address": ({"email": "ann"}, "email: is not a single email address"),
    "NUL in an address": ({"email": "a\0@example.com"}, "email: is not a single email address"),
    "no user": ({"user_id": ""}, "user_id: must be 1 to 255 characters"),
    "NUL in a user": ({"user_id": "a\0"}, "user_id: must be 1 to 255 characters"),
    "a long user": ({"user_id": "u" * 256}, "user_id: must be 1 to 255 characters"),
    "NUL in a key": (
        {"kind": "k", "idempotency_key": "\0"},
        "idempotency_key: must be 1 to 255 characters",
    ),
    "no number": ({"user_id": "u", "limit": "many"}, "limit: must be an integer from 1"),
    "no page": ({"user_id": "u", "limit": "0"}, "limit: must be an integer from 1"),
    "too long a page": (
        {"user_id": "u", "limit": "101"},
        "limit: must be an integer from 1",
    ),
    "two numbers": ({"user_id": "u", "limit": "1,2"}, "limit: must be an integer from 1"),
    "no place": ({"user_id": "u", "after": "7"}, "after: must be a UUID"),
}


@pytest.mark.parametrize(("query", "words"), REFUSED.values(), ids=REFUSED)
def test_a_query_that_cannot_be_taken_is_a_422_that_says_why(
    functions: Functions, query: dict[str, str], words: str
) -> None:
    answer = find(functions, **query)
    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.body["errors"]] == [""]
    assert answer.body["errors"][0]["detail"].startswith(words)


@pytest.mark.parametrize("read", [queries.text, queries.identifier, queries.email])
def test_what_postgresql_cannot_hold_is_not_asked_for(read: queries.Reader) -> None:
    with pytest.raises(queries.BadValue):
        read("\ud800")


def test_of_a_notification_to_many_the_story_of_one_person_can_be_asked_for(
    functions: Functions,
) -> None:
    posted = post(functions, 1, recipients=[a_recipient(1), a_recipient(2)])
    everybody = functions.call("GET", f"/notifications/{posted}").body["routes"]
    found = functions.call("GET", f"/notifications/{posted}?user_id=u-2").body["routes"]
    assert found == [route for route in everybody if route["user_id"] == "u-2"]
    assert found[0]["history"][0]["event"] == "submitted"
    assert functions.call("GET", f"/notifications/{posted}?user_id=u-3").body["routes"] == []
    assert_problem(functions.call("GET", f"/notifications/{posted}?colour=red"), 422)


def test_what_is_more_than_lambda_answers_with_is_left_out(
    functions: Functions, store: Store
) -> None:
    """6 MB are all that a function may answer with, and 10,000 routes a notification may have."""
    routes = [a_route(user_id="u-9", skip="not allowed here") for _ in range(10_000)]
    large = stored(store, a_notification(routes))
    stored(store, a_notification(routes=[a_route(user_id="u-9")]))
    answer = functions.call("GET", f"/notifications/{large.notification_id}")
    assert (len(answer.body["routes"]), answer.body["routes"][0]["history"]) == (10_000, None)
    assert len(json.dumps(answer.body, separators=(",", ":"))) < 6_000_000
    first = find(functions, user_id="u-9")
    second = find(functions, user_id="u-9", after=first.body["next"])
    assert [len(page.body["notifications"]) for page in (first, second)] == [1, 1]
    assert second.body["next"] is None


# How they are found.


@pytest.fixture
def crowded(connection: Connection) -> Connection:
    """Beside 100,000 routes of others, one user with 20,000, all due."""
    connection.execute("set statement_timeout = 0")
    connection.execute(
        "with n as (insert into dovecote.notifications"
        "  (notification_id, kind, idempotency_key, fingerprint)"
        "  select uuidv7(), 'k', i::text, 'f' from generate_series(1, 20000) i"
        "  returning notification_id)"
        " insert into dovecote.notification_routes (route_id, notification_id, position, channel,"
        "  target, user_id, address, address_hash, priority, lane, status, max_attempts,"
        "  next_attempt_at, expires_at)"
        " select gen_random_uuid(), notification_id, i, 'email', 'address',"
        "  case i when 1 then 'u-1' else 'u-' || notification_id || i end,"
        "  case i when 1 then 'Ann@example.com' else notification_id || '@example.com' end,"
        "  case i when 1 then %s else uuid_send(gen_random_uuid()) end,"
        "  1, 16, 'pending', 8, now(), now() + interval '1 day'"
        " from n, generate_series(1, 6) i",
        (HASHES.address("ann@example.com"),),
    )
    enter_people(connection)
    connection.execute("analyze")
    return connection


@pytest.mark.parametrize(
    ("name", "person", "entries"),
    [
        ("operations/find_by_user", {"user_id": "u-1"}, "user_routes"),
        (
            "operations/find_by_email",
            {"address_hash": HASHES.address("ann@EXAMPLE.com")},
            "address_routes",
        ),
    ],
)
def test_a_page_of_somebody_with_many_reads_no_more_than_the_page(
    crowded: Connection, name: str, person: dict[str, str], entries: str
) -> None:
    (middle,) = crowded.execute(
        "select notification_id from dovecote.notifications"
        " order by notification_id offset 10000 limit 1"
    ).fetchone() or (None,)
    for after in (None, middle):
        explained = crowded.execute(
            b"explain (analyze, format json) " + statement(name),
            {**person, "after": after, "limit": 51},
        ).fetchone()
        assert explained is not None
        found = list(nodes(explained[0][0]["Plan"]))
        for table, most in (("notification_routes", 51), (entries, 110)):
            reads = [node for node in found if node.get("Relation Name") == table]
            assert {node["Index Name"] for node in reads} == {f"{table}_pkey"}
            assert sum(node["Actual Rows"] * node["Actual Loops"] for node in reads) <= most
        assert found[0]["Actual Rows"] == 51


# The story of a route.


def history(functions: Functions, notification_id: object) -> list[dict[str, Any]]:
    answer = functions.call("GET", f"/notifications/{notification_id}")
    assert answer.status == 200
    (route,) = answer.body["routes"]
    at = [event["at"] for event in route["history"]]
    assert at == sorted(at)
    return list(route["history"])


def told(history: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(event[name] for name in ("event", *names)) for event in history]


def test_every_attempt_is_told_from_the_submit_to_the_delivery(
    functions: Functions, provider: Running
) -> None:
    order(provider, Fault.ERROR, times=2)
    posted = functions.post(channel_body()).body
    assert "history" not in posted["routes"][0]
    functions.dispatch()
    (accepted,) = provider.provider.ledger.accepted
    found = history(functions, posted["notification_id"])
    assert told(found, "attempt", "claim", "message_id") == [
        ("submitted", None, 0, None),
        ("failed", 1, 1, None),
        ("failed", 2, 2, None),
        ("published", 3, 3, accepted.message_id),
    ]
    assert found[0]["at"] == posted["created_at"]
    assert found[1]["detail"].startswith("InternalFailure (500)")


def test_a_dead_letter_keeps_its_history_over_a_redrive(
    functions: Functions, store: Store, provider: Running
) -> None:
    order(provider, Fault.ERROR, times=1, **PERMANENT)
    posted = functions.post(channel_body()).body
    redrive_one(store, uuid.UUID(posted["routes"][0]["route_id"]))
    functions.call("DELETE", f"/notifications/{posted['notification_id']}")
    found = history(functions, posted["notification_id"])
    assert told(found, "attempt", "claim", "reason") == [
        ("submitted", None, 0, None),
        ("dead_lettered", 1, 1, "permanent"),
        ("redriven", None, 1, None),
        ("cancelled", None, 1, None),
    ]


def test_a_route_that_nothing_reaches_says_why(functions: Functions, store: Store) -> None:
    route = a_route(address=None, skip="recipient has no email")
    posted = stored(store, a_notification([route]))
    assert told(history(functions, posted.notification_id), "reason") == [
        ("submitted", None), ("skipped", "recipient has no email"),
    ]  # fmt: skip


def events(connection: Connection) -> list[Any]:
    return connection.execute(
        "select event, claim, attempt from dovecote.notification_events order by at"
    ).fetchall()


def let_lapse(connection: Connection) -> None:
    connection.execute(
        "update dovecote.notification_routes"
        " set leased_until = clock_timestamp() - interval '1 hour' where claim_token is not null"
    )


def test_a_claim_that_ran_out_is_told_with_its_own_number(
    store: Store, connection: Connection
) -> None:
    stored(store, a_notification([a_route()]))
    assert len(claim_all(store)) == 1
    let_lapse(connection)
    assert claim_lapsed(store) is not None
    assert events(connection) == [("lapsed", 1, 1)]
    let_lapse(connection)
    assert claim_lapsed(store) is not None
    assert events(connection) == [("lapsed", 1, 1), ("lapsed", 2, 2)]


def test_one_that_is_given_back_has_not_run_out_again(store: Store, connection: Connection) -> None:
    stored(store, a_notification([a_route()]))
    claim_all(store)
    let_lapse(connection)
    for _ in range(3):
        claim = claim_lapsed(store)
        assert claim is not None
        with store.transaction() as transaction:
            transaction.give_back(claim.token, [claim.route_id], lapsed=True, hold=0)
    assert events(connection) == [("lapsed", 1, 1)]


def test_what_expires_under_a_lease_that_ran_out_is_told_so_and_no_other(
    store: Store, connection: Connection
) -> None:
    stored(store, a_notification([a_route()]))
    (claimed,) = claim_all(store)
    let_lapse(connection)
    stored(store, a_notification([a_route()]))
    connection.execute("update dovecote.notification_routes set expires_at = created_at")
    lane = claimed.lane
    assert len(store.claim_expired([lane], a_lease(), hold=0, limit=10)) == 2
    assert events(connection) == [("lapsed", 1, 1)]
