"""Suppressed addresses: who suppresses them, what is skipped for them and released with them."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from dovecote.core.claim import Claim
from dovecote.core.feedback import DeliveryEvent, Feedback, Verdict
from dovecote.core.outcome import Delivered, Result
from local.provider import Running
from tests.builders import (
    ADDRESS,
    ScriptedChannel,
    a_dispatch,
    a_finaliser,
    a_lease,
    a_notification,
    a_route,
    a_submission,
    claim_all,
    forever,
    store_routes,
    stored,
)
from tests.conftest import DEFAULT_MAX_ATTEMPTS
from tests.functions import Answer, Functions
from tests.integration.test_http import assert_problem
from tests.sending import a_body, channel_body
from tests.store import Store

Connection = psycopg.Connection[Any]
AT = datetime(2026, 11, 24, 14, tzinfo=UTC)
BOUNCE = DeliveryEvent(event="bounced", at=AT, reason="permanent/general", bounce_type="permanent")
COMPLAINT = DeliveryEvent(event="complained", at=AT, reason="abuse")
PATH = f"/suppressions?email={ADDRESS.replace('+', '%2B')}"
LATER = "2999-01-01T00:00:00Z"


def told(claim: Claim, note: DeliveryEvent) -> Feedback:
    return Feedback(
        route_id=claim.route_id,
        claim=claim.claims,
        message_id="m-1",
        known=Verdict.ACCEPTED,
        note=note,
    )


def suppress(functions: Functions, email: str = ADDRESS, **more: str) -> Answer:
    return functions.call("PUT", "/suppressions", json.dumps({"email": email, **more}).encode())


def published(store: Store) -> Claim:
    """Return the claim of an email that was accepted."""
    store_routes(store, 1)
    (claim,) = claim_all(store)
    result = Result(claim=claim, outcome=Delivered(message_id="m-1"))
    a_finaliser().settle(store, [result], until=0)
    return claim


def suppressions(connection: Connection) -> list[Any]:
    return connection.execute(
        "select address, reason, route_id, message_id from dovecote.suppressions"
    ).fetchall()


def states(connection: Connection) -> list[Any]:
    return connection.execute(
        "select status, attempts, last_error from dovecote.notification_routes"
        " order by created_at, position"
    ).fetchall()


def events(connection: Connection, event: str) -> list[Any]:
    return connection.execute(
        "select claim, reason from dovecote.notification_events where event = %s", (event,)
    ).fetchall()


# What suppresses.


@pytest.mark.parametrize(("note", "reason"), [(BOUNCE, "bounced"), (COMPLAINT, "complained")])
def test_a_permanent_bounce_and_a_complaint_suppress_the_address_that_was_mailed(
    store: Store, connection: Connection, note: DeliveryEvent, reason: str
) -> None:
    claim = published(store)
    store.record_feedback(told(claim, note))
    assert suppressions(connection) == [(ADDRESS, reason, claim.route_id, "m-1")]


@pytest.mark.parametrize(
    "note",
    [
        DeliveryEvent(event="bounced", at=AT, reason="transient/full", bounce_type="transient"),
        DeliveryEvent(event="bounced", at=AT, reason="undetermined", bounce_type="undetermined"),
        DeliveryEvent(event="complained", at=AT, reason="auth-failure"),
        DeliveryEvent(event="complained", at=AT, reason="not-spam"),
        DeliveryEvent(event="complained", at=AT, reason="virus"),
        DeliveryEvent(event="delayed", at=AT, reason="mailboxfull"),
        DeliveryEvent(event="delivered", at=AT),
    ],
)
def test_anything_else_suppresses_nothing(
    store: Store, connection: Connection, note: DeliveryEvent
) -> None:
    store.record_feedback(told(published(store), note))
    assert suppressions(connection) == []


def test_the_first_reason_stands_and_an_address_that_was_erased_does_not_come_back(
    store: Store, connection: Connection
) -> None:
    claim = published(store)
    store.record_feedback(told(claim, BOUNCE))
    connection.execute("update dovecote.suppressions set address = null, reason = 'erased'")
    store.record_feedback(told(claim, COMPLAINT))
    assert suppressions(connection) == [(None, "erased", claim.route_id, "m-1")]


def test_an_address_that_was_let_go_is_not_suppressed_by_what_is_told_again(
    store: Store, connection: Connection, functions: Functions
) -> None:
    claim = published(store)
    store.record_feedback(told(claim, BOUNCE))
    assert functions.call("DELETE", PATH).status == 200
    store.record_feedback(told(claim, BOUNCE))
    assert suppressions(connection) == []
    store.record_feedback(told(claim, replace(BOUNCE, at=datetime(2026, 11, 25, tzinfo=UTC))))
    assert len(suppressions(connection)) == 1


# What is skipped.


def test_a_route_to_a_suppressed_address_is_stored_as_skipped_and_answered_so(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    suppress(functions, ADDRESS.upper())
    others = [{"email": f"success+{n}@simulator.amazonses.com"} for n in range(2)]
    body = channel_body("email", recipients=[{"email": ADDRESS}, *others])
    answer = functions.post(body)
    assert answer.status == 202
    assert [route["status"] for route in answer.body["routes"]] == [
        "skipped", "published", "pending",
    ]  # fmt: skip
    first = answer.body["routes"][0]
    assert (first["last_error"], first["next_attempt_at"]) == (
        "address is suppressed: manual", None,
    )  # fmt: skip
    assert functions.post(body).body == answer.body
    assert len(provider.provider.ledger.attempts) == 1
    # and where nothing is tried at once, which is answered without reading
    later = functions.post(body | {"idempotency_key": "later", "deliver_at": LATER})
    assert [route["status"] for route in later.body["routes"]] == ["skipped", "pending", "pending"]


ROUTES = [
    a_route(claimed=True),
    a_route(address="success+bob@simulator.amazonses.com", claimed=True),
    a_route("push", claimed=True),
    a_route(address=ADDRESS.title()),
    a_route(skip="not allowed here"),
]


@pytest.mark.channels("email", "push")
@pytest.mark.parametrize("deliver_at", [None, datetime(2999, 1, 1, tzinfo=UTC)])
def test_what_is_answered_of_suppressed_addresses_is_what_is_stored(
    store: Store, functions: Functions, deliver_at: datetime | None
) -> None:
    suppress(functions)
    notification = a_notification(ROUTES, submission=a_submission(deliver_at=deliver_at))
    answer = stored(store, notification)
    found = store.notification(notification.notification_id)
    assert found is not None
    most = notification.max_attempts or DEFAULT_MAX_ATTEMPTS
    assert [replace(route, max_attempts=most) for route in found.routes] == answer.routes
    assert [route.last_error for route in answer.routes] == [
        "address is suppressed: manual", None, None, "address is suppressed: manual",
        "not allowed here",
    ]  # fmt: skip
    tried = [claim.route_id for claim in answer.claims]
    assert tried == ([] if deliver_at else [ROUTES[1].route_id, ROUTES[2].route_id])


@pytest.mark.channels("email", "push")
def test_a_route_whose_address_is_suppressed_before_it_is_claimed_is_skipped_without_a_send(
    store: Store, functions: Functions, connection: Connection
) -> None:
    routes = [a_route(), a_route("push"), a_route(address="success@example.com")]
    assert store.submit(a_notification(routes), a_lease())
    suppress(functions)
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel)(forever)
    assert (tally["skipped"], tally["published"]) == (1, 2)
    assert channel.asked.count(routes[0].route_id) == 0
    assert states(connection) == [
        ("skipped", 0, "address is suppressed: manual"), ("published", 1, None),
        ("published", 1, None),
    ]  # fmt: skip
    assert events(connection, "skipped") == [(1, "address is suppressed: manual")]


def test_what_is_on_record_as_accepted_is_published_whatever_became_of_its_address(
    store: Store, functions: Functions, connection: Connection
) -> None:
    store_routes(store, 1)
    (claim,) = claim_all(store)
    with store.transaction() as transaction:
        transaction.give_back(claim.token, [claim.route_id], lapsed=False, hold=0)
        transaction.record_acceptances({claim.route_id: "m-1"})
    suppress(functions)
    assert a_dispatch(store, ScriptedChannel())(forever)["published"] == 1


# What is let go.


def skipped_for_it(functions: Functions) -> str:
    """Let an address be suppressed, and something skipped for it; return the notification."""
    suppress(functions)
    return str(functions.post(channel_body("email")).body["notification_id"])


def released(functions: Functions) -> int:
    answer = functions.call("DELETE", f"{PATH}&release=true")
    assert answer.status == 200
    return int(answer.body["released"])


def test_what_was_skipped_for_an_address_is_released_with_it_and_sent(
    functions: Functions, store: Store, connection: Connection, provider: Running
) -> None:
    store_routes(store, 1)
    skipped_for_it(functions)
    assert functions.dispatch()["skipped"] == 1
    assert released(functions) == 2
    assert [(status, attempts) for status, attempts, _ in states(connection)] == [
        ("pending", 0)
    ] * 2
    assert sorted(events(connection, "released")) == [(0, None), (1, None)]
    assert (
        functions.dispatch()["published"] == 1
    )  # the other has a payload that its kind does not take
    assert len(provider.provider.ledger.accepted) == 1


def test_many_routes_are_released_in_several_transactions(
    functions: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovecote.store.people.suppressions.MOST_ROUTES", 2)
    suppress(functions)
    for number in range(5):
        functions.post(channel_body("email", idempotency_key=f"order-{number}"))
    assert released(functions) == 5
    assert {status for status, *_ in states(connection)} == {"pending"}


def test_a_repeated_release_finishes_one_that_failed(
    functions: Functions, connection: Connection
) -> None:
    skipped_for_it(functions)
    connection.execute("delete from dovecote.suppressions")
    assert released(functions) == 1
    assert functions.call("DELETE", f"{PATH}&release=true").status == 404


NOT_RELEASED = {
    "it expired": "expires_at = now()",
    "it was skipped for another reason": "last_error = 'not allowed here'",
    "it was cancelled": "status = 'cancelled'",
    "it is somebody else's": "address_hash = 'the hash of another'",
}


@pytest.mark.parametrize("assignment", NOT_RELEASED.values(), ids=NOT_RELEASED)
def test_nothing_else_is_released(
    functions: Functions, connection: Connection, assignment: str
) -> None:
    skipped_for_it(functions)
    connection.execute(f"update dovecote.notification_routes set {assignment}".encode())  # noqa: S608
    assert released(functions) == 0
    assert events(connection, "released") == []


def test_what_is_to_be_delivered_later_is_released_for_then(
    functions: Functions, connection: Connection
) -> None:
    suppress(functions)
    functions.post(channel_body("email", deliver_at=LATER))
    assert released(functions) == 1
    assert functions.dispatch()["claimed"] == 0


def test_without_release_what_was_skipped_stays_so(
    functions: Functions, connection: Connection
) -> None:
    for query in ("", "&release=false"):
        skipped_for_it(functions)
        assert functions.call("DELETE", PATH + query).body == {"released": 0}
    assert states(connection) == [("skipped", 0, "address is suppressed: manual")]
    assert (
        functions.post(channel_body("email", idempotency_key="anew")).body["routes"][0]["status"]
        == "published"
    )


# The calls.


def test_an_address_is_suppressed_shown_and_let_go_in_whatever_letters(
    functions: Functions,
) -> None:
    assert_problem(functions.call("GET", PATH), 404)
    assert_problem(functions.call("DELETE", PATH), 404)
    put = suppress(functions, ADDRESS.upper())
    assert put.status == 200
    local, domain = ADDRESS.split("@")
    assert put.body["email"] == f"{local.upper()}@{domain}"
    shown = functions.call("GET", PATH)
    assert shown.body == {**put.body, "email": ADDRESS}
    assert shown.body.keys() == {"email", "reason", "created_at"}
    assert suppress(functions, reason="manual").body == shown.body
    assert functions.call("DELETE", PATH).body == {"released": 0}
    assert_problem(functions.call("GET", PATH), 404)


def test_a_put_leaves_what_the_provider_told(store: Store, functions: Functions) -> None:
    store.record_feedback(told(published(store), BOUNCE))
    assert suppress(functions).body["reason"] == "bounced"


BAD: Sequence[tuple[str, str, bytes | None, int]] = [
    ("GET", "/suppressions", None, 422),
    ("GET", "/suppressions?email=", None, 422),
    ("GET", "/suppressions?email=ann", None, 422),
    ("GET", "/suppressions?email=a@b@example.com", None, 422),
    ("GET", f"/suppressions?email={'a' * 300}@example.com", None, 422),
    ("GET", "/suppressions?email=%FF@example.com", None, 400),
    ("PUT", "/suppressions", b'{"email": "Ann <ann@example.com>"}', 422),
    ("PUT", "/suppressions", b'{"email": "ann@example.com", "reason": "bounced"}', 422),
    ("PUT", "/suppressions", b'{"email": "ann@example.com", "reason": "ann@example.com"}', 422),
    ("PUT", "/suppressions", b'{"email": "ann@example.com", "why": "so"}', 422),
    ("PUT", "/suppressions", b'{"email": null}', 422),
    ("PUT", "/suppressions", b"{}", 422),
    ("PUT", "/suppressions?email=ann@example.com", b'{"email": "ann@example.com"}', 422),
    ("PUT", "/suppressions", None, 400),
    ("PUT", "/suppressions", b"[]", 400),
    ("PUT", "/suppressions", b"{", 400),
    ("PUT", "/suppressions", b'{"email": "a@example.com", "email": "b@example.com"}', 400),
    ("PUT", "/suppressions", b" " * 33_000, 413),
    ("DELETE", "/suppressions", None, 422),
    ("DELETE", "/suppressions?email=%00@example.com", None, 422),
    ("DELETE", f"{PATH}&release=yes", None, 422),
    ("DELETE", f"{PATH}&released=true", None, 422),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD)
def test_what_cannot_be_taken_is_a_problem_that_repeats_nothing(
    functions: Functions,
    connection: Connection,
    method: str,
    path: str,
    body: bytes | None,
    status: int,
) -> None:
    answer = functions.call(method, path, body)
    assert_problem(answer, status)
    assert "@" not in json.dumps(answer.body)
    assert suppressions(connection) == []


# The whole way, by the functions.


@pytest.mark.parametrize(
    ("mailbox", "reason"), [("bounce", "bounced"), ("complaint", "complained")]
)
def test_what_the_provider_tells_of_an_address_keeps_the_next_notification_from_it(
    functions: Functions, connection: Connection, provider: Running, mailbox: str, reason: str
) -> None:
    address = f"{mailbox}+{uuid.uuid4().hex[:8]}@simulator.amazonses.com"
    body = a_body(recipients=[{"user_id": "u-1", "email": address, "data": {"first_name": "Ann"}}])
    assert functions.post(body).body["routes"][0]["status"] == "published"
    functions.feedback(*(json.dumps(event) for event in provider.provider.events))
    skipped = functions.post(body | {"idempotency_key": "next"}).body["routes"][0]
    assert (skipped["status"], skipped["last_error"]) == (
        "skipped", f"address is suppressed: {reason}",
    )  # fmt: skip
    shown = functions.call("GET", f"/suppressions?email={address.replace('+', '%2B')}").body
    assert (shown["email"], shown["reason"]) == (address, reason)
    assert len(provider.provider.ledger.accepted) == 1


@pytest.mark.parametrize(
    ("types", "suppresses"),
    [
        ({"complaintFeedbackType": "auth-failure"}, False),
        ({"complaintFeedbackType": "not-spam"}, False),
        ({"complaintFeedbackType": "virus"}, False),
        ({"complaintFeedbackType": "Not-Spam", "complaintSubType": None}, False),
        ({"complaintFeedbackType": "virus", "complaintSubType": "OnAccountSuppressionList"}, False),
        ({"complaintFeedbackType": None, "complaintSubType": "not-spam"}, False),
        ({"complaintSubType": "auth-failure"}, False),
        ({"complaintFeedbackType": "abuse"}, True),
        ({"complaintFeedbackType": "fraud"}, True),
        ({"complaintFeedbackType": "other"}, True),
        ({"complaintFeedbackType": "a-new-type"}, True),
        ({"complaintFeedbackType": None}, True),
        ({"complaintSubType": "OnAccountSuppressionList"}, True),
        ({}, True),
    ],
    ids=str,
)
def test_only_a_complaint_of_the_recipient_suppresses_its_address(
    functions: Functions,
    connection: Connection,
    provider: Running,
    types: dict[str, str | None],
    suppresses: bool,
) -> None:
    address = f"complaint+{uuid.uuid4().hex[:8]}@simulator.amazonses.com"
    body = a_body(recipients=[{"user_id": "u-1", "email": address, "data": {"first_name": "Ann"}}])
    assert functions.post(body).status == 202
    (event,) = (one for one in provider.provider.events if one["detail"].get("complaint"))
    complaint = event["detail"]["complaint"]
    del complaint["complaintFeedbackType"], complaint["complaintSubType"]
    complaint |= types
    functions.feedback(json.dumps(event))
    assert [row[1] for row in suppressions(connection)] == ["complained"] * suppresses
    recorded = "select count(*) from dovecote.email_deliveries where complained_at is not null"
    assert connection.execute(recorded.encode()).fetchone() == (1,)
    next_one = functions.post(body | {"idempotency_key": "next"}).body["routes"][0]
    assert next_one["status"] == ("skipped" if suppresses else "published")
