"""Redriving: a dead letter gets a fresh set of attempts, and its history is kept."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.outcome import Failed, Permanent
from dovecote.core.transitions import Refusal
from local.provider import Fault, Running
from tests.builders import (
    CHANNEL,
    ScriptedChannel,
    a_dispatch,
    claim_all,
    forever,
    redrive_one,
    store_routes,
)
from tests.functions import Answer, Functions
from tests.integration.test_http import assert_problem
from tests.integration.test_pauses import at_once
from tests.sending import PERMANENT, channel_body, kind_of, order
from tests.store import Store

Connection = psycopg.Connection[Any]
both_channels = pytest.mark.parametrize("channel", NAMES)


def a_dead_letter(store: Store, connection: Connection, channel: str = CHANNEL) -> uuid.UUID:
    """Return a route that failed twice and has no attempt left."""
    store_routes(store, 1, channel, max_attempts=2)
    for _ in range(2):
        connection.execute("update dovecote.notification_routes set next_attempt_at = now()")
        a_dispatch(store, ScriptedChannel(answer=lambda _: Failed(error="no luck")))(forever)
    return the_route(connection)


def the_route(connection: Connection) -> uuid.UUID:
    ((route_id,),) = connection.execute("select route_id from dovecote.notification_routes")
    assert isinstance(route_id, uuid.UUID)
    return route_id


def row(connection: Connection, columns: str) -> Sequence[Any]:
    query = f"select {columns} from dovecote.notification_routes"  # noqa: S608
    (found,) = connection.execute(query.encode()).fetchall()
    return found


def letters(connection: Connection) -> list[Any]:
    return connection.execute(
        "select reason, error, attempts, closed_as, closed_at is not null"
        " from dovecote.notification_dead_letters order by dead_letter_id"
    ).fetchall()


def let_expire(connection: Connection) -> None:
    connection.execute("update dovecote.notification_routes set expires_at = created_at")


@both_channels
def test_a_dead_letter_is_pending_with_a_fresh_set_of_attempts(
    store: Store, connection: Connection, channel: str
) -> None:
    route_id = a_dead_letter(store, connection, channel)
    (notification_id, expires_at) = row(connection, "notification_id, expires_at")
    assert redrive_one(store, route_id, None) == notification_id
    assert row(connection, "status, attempts, claims, claim_token, doubt_until, expires_at") == (
        "pending", 0, 2, None, None, expires_at,
    )  # fmt: skip
    assert row(connection, "next_attempt_at <= clock_timestamp()") == (True,)
    channel_ = ScriptedChannel()
    assert a_dispatch(store, channel_)(forever)["published"] == 1
    assert channel_.asked == [route_id]
    assert row(connection, "attempts, claims") == (1, 3)


def test_its_history_is_kept(store: Store, connection: Connection) -> None:
    route_id = a_dead_letter(store, connection)
    redrive_one(store, route_id, None)
    assert row(connection, "last_error, last_attempt_at is not null") == ("no luck", True)
    assert letters(connection) == [("attempts", "no luck", 2, "redriven", True)]
    refused = ScriptedChannel(answer=lambda _: Permanent(error="MessageRejected"))
    a_dispatch(store, refused)(forever)
    assert letters(connection) == [
        ("attempts", "no luck", 2, "redriven", True),
        ("permanent", "MessageRejected", 1, None, False),
    ]
    assert redrive_one(store, route_id, None) is not None
    assert [closed for *_, closed, _ in letters(connection)] == ["redriven", "redriven"]


@pytest.mark.parametrize(
    "assignment",
    [
        "status = 'pending'",
        "status = 'retrying', lane = lane + 1",
        "status = 'published', next_attempt_at = null, published_at = now()",
        "status = 'skipped', next_attempt_at = null",
        "status = 'cancelled', next_attempt_at = null",
    ],
)
def test_what_is_no_dead_letter_is_left_as_it_is(
    store: Store, connection: Connection, assignment: str
) -> None:
    store_routes(store, 1)
    connection.execute(f"update dovecote.notification_routes set {assignment}".encode())  # noqa: S608
    before = row(connection, "*")
    assert redrive_one(store, the_route(connection), None) is Refusal.NO_DEAD_LETTER
    assert row(connection, "*") == before


def test_a_route_that_is_none_has_no_answer(store: Store) -> None:
    assert redrive_one(store, uuid.uuid4(), None) is None


def test_one_in_doubt_is_refused_until_its_hold_is_over(
    store: Store, connection: Connection
) -> None:
    route_id = a_dead_letter(store, connection)
    connection.execute(
        "update dovecote.notification_routes set doubt_until = clock_timestamp() + interval '1 h'"
    )
    let_expire(connection)
    assert redrive_one(store, route_id, None) is Refusal.IN_DOUBT
    assert row(connection, "status") == ("dead_lettered",)
    connection.execute("update dovecote.notification_routes set doubt_until = clock_timestamp()")
    assert isinstance(redrive_one(store, route_id, in_an_hour()), uuid.UUID)
    assert row(connection, "status, doubt_until") == ("pending", None)


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def test_one_that_expired_needs_a_new_time(store: Store, connection: Connection) -> None:
    route_id = a_dead_letter(store, connection)
    let_expire(connection)
    assert redrive_one(store, route_id, None) is Refusal.EXPIRED
    assert redrive_one(store, route_id, datetime.now(UTC) - timedelta(seconds=1)) is Refusal.EXPIRED
    assert letters(connection) == [("attempts", "no luck", 2, None, False)]
    later = in_an_hour()
    assert isinstance(redrive_one(store, route_id, later), uuid.UUID)
    assert row(connection, "status, expires_at") == ("pending", later)


def test_one_in_time_may_have_another_time_too(store: Store, connection: Connection) -> None:
    route_id = a_dead_letter(store, connection)
    assert redrive_one(store, route_id, datetime.now(UTC)) is Refusal.EXPIRED
    sooner = datetime.now(UTC) + timedelta(minutes=1)
    assert isinstance(redrive_one(store, route_id, sooner), uuid.UUID)
    assert row(connection, "expires_at") == (sooner,)


def test_of_many_that_redrive_it_at_once_one_does(
    store: Store, connection: Connection, database_url: str
) -> None:
    route_id = a_dead_letter(store, connection)
    answers = at_once(database_url, lambda own: redrive_one(own, route_id, None))
    assert answers.count(Refusal.NO_DEAD_LETTER) == 7
    assert letters(connection) == [("attempts", "no luck", 2, "redriven", True)]


def test_what_is_on_record_as_accepted_is_not_sent_again(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1, max_attempts=1)
    (claim,) = claim_all(store, seconds=0)
    with store.transaction() as transaction:  # by a worker that came too late
        transaction.record_acceptances({claim.route_id: "m-late"})
    connection.execute("update dovecote.notification_routes set expires_at = created_at")
    connection.execute(
        "with ended as (update dovecote.notification_routes set status = 'dead_lettered',"
        "  next_attempt_at = null, claim_token = null, leased_until = null returning *)"
        " insert into dovecote.notification_dead_letters"
        "  (route_id, notification_id, reason, attempts)"
        " select route_id, notification_id, 'ambiguous', attempts from ended"
    )
    redrive_one(store, claim.route_id, in_an_hour())
    channel = ScriptedChannel()
    assert a_dispatch(store, channel)(forever)["published"] == 1
    assert channel.asked == []
    assert row(connection, "provider_message_id") == ("m-late",)


# Over HTTP.


def redrive(functions: Functions, route_id: object, body: Any = None) -> Answer:
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return functions.call("POST", f"/dead-letters/{route_id}/redrive", raw)


@pytest.fixture
def refused(functions: Functions, provider: Running) -> str:
    """The route of a message that its provider refused."""
    order(provider, Fault.ERROR, times=1, **PERMANENT)
    (route,) = functions.post(channel_body()).body["routes"]
    assert route["status"] == "dead_lettered"
    return str(route["route_id"])


@pytest.mark.parametrize("body", [None, b"", {}, {"expires_at": None}])
def test_a_dead_letter_is_redriven_over_http_and_sent_by_dispatch(
    functions: Functions, provider: Running, refused: str, body: Any
) -> None:
    answer = redrive(functions, refused, body)
    assert answer.status == 202
    assert answer.body["kind"] == kind_of()
    (route,) = answer.body["routes"]
    assert (route["route_id"], route["status"], route["attempts"]) == (refused, "pending", 0)
    assert route["last_error"].startswith("BadRequestException (400)")
    assert functions.dispatch()["published"] == 1
    (accepted,) = provider.provider.ledger.accepted
    assert (
        functions.call("GET", f"/notifications/{answer.body['notification_id']}").body["routes"][0][
            "provider_message_id"
        ]
        == accepted.message_id
    )


@pytest.mark.parametrize("route_id", [uuid.uuid4(), "none", "%00", "a%252Fb"])
def test_a_route_that_is_none_is_a_404(functions: Functions, route_id: object) -> None:
    assert_problem(redrive(functions, route_id), 404)


def test_what_is_no_dead_letter_is_a_409(functions: Functions, refused: str) -> None:
    assert redrive(functions, refused).status == 202
    answer = redrive(functions, refused)
    assert_problem(answer, 409)
    assert answer.body["detail"] == "The route is not a dead letter."


def test_one_in_doubt_is_a_409(functions: Functions, connection: Connection, refused: str) -> None:
    connection.execute(
        "update dovecote.notification_routes set doubt_until = clock_timestamp() + interval '1 h'"
    )
    answer = redrive(functions, refused)
    assert_problem(answer, 409)
    assert answer.body["detail"] == (
        "The provider may have accepted the route; its event is still due."
    )


def test_an_expired_one_is_a_422_that_asks_for_a_time(
    functions: Functions, connection: Connection, refused: str
) -> None:
    let_expire(connection)
    for body in (None, {"expires_at": "2020-01-01T00:00:00Z"}):
        answer = redrive(functions, refused, body)
        assert_problem(answer, 422)
        (error,) = answer.body["errors"]
        assert error == {
            "pointer": "/expires_at",
            "detail": "must be in the future: the route expired",
        }
    answer = redrive(functions, refused, {"expires_at": "2999-01-01T01:00:00+01:00"})
    assert answer.status == 202
    assert answer.body["routes"][0]["expires_at"] == "2999-01-01T00:00:00Z"
    assert functions.dispatch()["published"] == 1


REFUSED: dict[str, tuple[Any, int, str | None]] = {
    "not JSON": (b"{", 400, None),
    "not an object": (b"[]", 400, None),
    "a member twice": (b'{"expires_at": null, "expires_at": null}', 400, None),
    "33 KiB": (b'{"expires_at": "' + b"x" * 33_000 + b'"}', 413, None),
    "an unknown member": ({"dry_run": True}, 422, ""),
    "no time": ({"expires_at": "tomorrow"}, 422, "/expires_at"),
    "a time without its zone": ({"expires_at": "2999-01-01T00:00:00"}, 422, "/expires_at"),
    "a number": ({"expires_at": 7}, 422, "/expires_at"),
    "the first time of all": ({"expires_at": "0001-01-01T00:00:00+14:00"}, 422, "/expires_at"),
    "an offset that no place has": (
        {"expires_at": "2999-01-01T00:00:00-16:00"},
        422,
        "/expires_at",
    ),
    "the last time of all": ({"expires_at": "9999-12-31T23:59:59-14:00"}, 422, "/expires_at"),
}


@pytest.mark.parametrize(("body", "status", "where"), REFUSED.values(), ids=REFUSED)
def test_a_body_that_cannot_be_taken_changes_nothing(
    functions: Functions,
    connection: Connection,
    refused: str,
    body: Any,
    status: int,
    where: str | None,
) -> None:
    answer = redrive(functions, refused, body)
    assert_problem(answer, status)
    if where is not None:
        assert [error["pointer"] for error in answer.body["errors"]] == [where]
    assert row(connection, "status") == ("dead_lettered",)
