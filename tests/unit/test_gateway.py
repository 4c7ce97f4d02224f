"""API Gateway's events in, its answers out."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from dovecote.aws import events, gateway
from dovecote.aws.events import Record
from dovecote.core.device import Device
from dovecote.core.errors import StoreBusy, StoreError, StoreFailed, StoreUnavailable
from dovecote.core.notification import Cancellation, Notification, Story
from dovecote.core.problems import Conflict, Fault, InProgress, Invalid, Malformed
from dovecote.core.route import EmailRecord, Event, Route, Status
from dovecote.feedback.record_feedback import BadEvent, Taken
from dovecote.submit.submit import Receipt
from tests.unit.examples import ANN, ROUTE_ID

NOTIFICATION_ID = UUID("0192f6a0-0000-4000-8000-000000000009")
OTHER_ID = UUID("0192f6a0-0000-4000-8000-00000000000a")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROUTE = Route(
    route_id=ROUTE_ID,
    channel="email",
    status=Status.RETRYING,
    user_id="u-1",
    device_session_id=None,
    resolved_email=ANN,
    attempts=1,
    max_attempts=8,
    next_attempt_at=NOON,
    last_attempt_at=NOON,
    last_error="busy",
    expires_at=NOON,
    published_at=None,
    provider_message_id=None,
)
NOTIFICATION = Notification(
    notification_id=NOTIFICATION_ID,
    kind="order.shipped",
    idempotency_key="k-1",
    fingerprint="f",
    created_at=NOON,
    deliver_at=None,
    routes=[ROUTE],
)


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def debug(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("debug", message))

    def info(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("info", message))

    def warning(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("warning", message))

    def error(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("error", message))


def raising(error: Exception) -> gateway.Answer:
    return gateway.answered(lambda: _raise(error), Lines())


def _raise(error: Exception) -> gateway.Answer:
    raise error


# Events in.


def a_request(**members: Any) -> events.Http:
    event = {"version": "2.0", "routeKey": "GET /", "requestContext": {}, **members}
    return events.http(event)


@pytest.mark.parametrize(
    ("event", "http"),
    [
        ({"version": "2.0", "requestContext": {"http": {}}}, True),
        # payload format 1.0 and direct invocations
        ({"version": "1.0", "requestContext": {}}, False),
        ({"version": "2.0"}, False),
        ({"kind": "order.shipped"}, False),
        ({}, False),
    ],
)
def test_an_event_of_the_gateway_is_told_from_a_direct_invocation(
    event: dict[str, Any], http: bool
) -> None:
    assert events.is_http(event) is http


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ({"body": '{"a": "\u00fc"}'}, '{"a": "\u00fc"}'.encode()),
        ({"body": base64.b64encode(b"\xff\x00").decode(), "isBase64Encoded": True}, b"\xff\x00"),
        ({"body": "eA==", "isBase64Encoded": False}, b"eA=="),
        # none
        ({}, b""),
        ({"body": None}, b""),
        ({"body": None, "isBase64Encoded": True}, b""),
        ({"body": ""}, b""),
        # half of a pair: bytes that are no UTF-8, and so Malformed later
        ({"body": '"\ud800"'}, b'"\xed\xa0\x80"'),
    ],
)
def test_a_body_is_bytes(event: dict[str, Any], body: bytes) -> None:
    assert gateway.body_of(a_request(**event)) == body


@pytest.mark.parametrize("body", ["eA=", "not base64", "\u00fc", "e\nA=="])
def test_a_body_that_is_not_base64_is_malformed(body: str) -> None:
    with pytest.raises(Malformed):
        gateway.body_of(a_request(body=body, isBase64Encoded=True))


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
def test_a_header_is_found_however_it_is_asked_for(name: str) -> None:
    assert gateway.header_of(a_request(headers={"idempotency-key": "k-1"}), name) == "k-1"


def test_a_header_in_two_spellings_is_joined_as_one_that_was_sent_twice() -> None:
    request = a_request(headers={"Idempotency-Key": "k-1", "idempotency-key": "k-2"})
    assert gateway.header_of(request, "idempotency-key") == "k-1,k-2"


@pytest.mark.parametrize("event", [{}, {"headers": None}, {"headers": {}}])
def test_a_header_that_is_not_there_is_none(event: dict[str, Any]) -> None:
    assert gateway.header_of(a_request(**event), "traceparent") is None


# Answers out.


def test_an_answer_of_a_call_is_passed_on() -> None:
    answer = gateway.answer(200, {"a": 1})
    assert gateway.answered(lambda: answer, Lines()) is answer


@pytest.mark.parametrize("error", [StoreUnavailable("down"), StoreBusy("waiting")])
def test_a_store_out_of_reach_is_a_503_with_retry_after(error: Exception) -> None:
    log = Lines()
    answer = gateway.answered(lambda: _raise(error), log)
    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"] == "5"
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(answer["body"])["status"] == 503
    assert "down" not in answer["body"]
    assert log.lines == [("error", "database out of reach")]


def test_a_problem_is_its_document() -> None:
    answer = raising(Invalid("in words", [Fault("/kind", "is missing")]))
    assert answer["statusCode"] == 422
    assert answer["headers"] == {"Content-Type": "application/problem+json"}
    assert json.loads(answer["body"]) == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "in words",
        "errors": [{"pointer": "/kind", "detail": "is missing"}],
    }


def test_a_malformed_request_is_a_400() -> None:
    assert raising(Malformed("in words"))["statusCode"] == 400


def test_what_does_not_fit_is_a_409_and_only_what_will_fit_later_says_when() -> None:
    assert raising(Conflict("in words"))["statusCode"] == 409
    assert "Retry-After" not in raising(Conflict("in words"))["headers"]
    assert raising(InProgress("in words"))["statusCode"] == 409
    assert raising(InProgress("in words"))["headers"]["Retry-After"] == "1"


@pytest.mark.parametrize("error", [StoreFailed("bug"), StoreError("bug"), ValueError("bug")])
def test_a_bug_is_not_dressed_up(error: Exception) -> None:
    with pytest.raises(type(error)):
        raising(error)


def receipt(*, replayed: bool) -> Receipt:
    return Receipt(
        notification_id=NOTIFICATION_ID,
        kind="order.shipped",
        created_at=NOON,
        routes=[ROUTE],
        replayed=replayed,
    )


def test_what_is_stored_is_a_202_with_its_place_and_routes() -> None:
    answer = gateway.accepted(receipt(replayed=False))
    assert answer["statusCode"] == 202
    assert answer["headers"] == {
        "Content-Type": "application/json",
        "Location": f"/notifications/{NOTIFICATION_ID}",
    }
    body = json.loads(answer["body"])
    assert set(body) == {"notification_id", "kind", "created_at", "routes"}
    assert body["notification_id"] == str(NOTIFICATION_ID)
    assert body["created_at"] == "2026-11-23T12:00:00Z"
    (route,) = body["routes"]
    assert route["route_id"] == str(ROUTE_ID)
    assert (route["channel"], route["status"], route["attempts"]) == ("email", "retrying", 1)
    assert route["next_attempt_at"] == "2026-11-23T12:00:00Z"


def test_a_replay_says_so() -> None:
    assert gateway.accepted(receipt(replayed=True))["headers"]["Idempotent-Replayed"] == "true"


def test_a_notification_is_told_with_all_of_its_routes() -> None:
    event = Event(
        at=NOON, event="failed", attempt=1, claim=1, reason=None, detail="e",
        message_id=None,
    )  # fmt: skip
    answer = gateway.notification_answer(
        Story(notification=NOTIFICATION, histories={ROUTE_ID: [event]})
    )
    body = json.loads(answer["body"])
    assert answer["statusCode"] == 200
    assert body["routes"][0]["history"] == [
        {
            "at": "2026-11-23T12:00:00Z",
            "event": "failed",
            "attempt": 1,
            "claim": 1,
            "reason": None,
            "detail": "e",
            "message_id": None,
        }
    ]
    assert (body["idempotency_key"], body["deliver_at"]) == ("k-1", None)
    assert {
        "route_id",
        "channel",
        "status",
        "attempts",
        "next_attempt_at",
        "user_id",
        "device_session_id",
        "email",
        "last_error",
        "last_attempt_at",
        "published_at",
        "provider_message_id",
        "expires_at",
    } <= set(body["routes"][0])
    assert "fingerprint" not in body


def test_what_was_redriven_is_a_202_with_its_notification_without_its_deliveries() -> None:
    answer = gateway.redriven(NOTIFICATION)
    assert answer["statusCode"] == 202
    (route,) = json.loads(answer["body"])["routes"]
    assert route["route_id"] == str(ROUTE_ID)
    assert "history" not in route


@pytest.mark.parametrize(
    ("authorizer", "who"),
    [
        (
            {"authorizer": {"iam": {"userArn": "arn:aws:iam::1:user/ann"}}},
            "arn:aws:iam::1:user/ann",
        ),
        ({"authorizer": {"iam": {"userArn": None}}}, "unknown"),
        ({"authorizer": None}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_who_calls_is_whom_api_gateway_authorised(authorizer: dict[str, Any], who: str) -> None:
    assert gateway.caller_of(a_request(requestContext=authorizer)) == who


def test_of_a_batch_of_events_only_what_could_not_be_taken_comes_again() -> None:
    answers: dict[str, Taken | Exception] = {
        "settles": Taken(route_id=ROUTE_ID, settled=True),
        "no event": BadEvent("Invalid JSON"),
        "is no news": Taken(route_id=OTHER_ID),
        "out of reach": StoreUnavailable("gone"),
        "refused": StoreFailed("CheckViolation"),
        "a bug": OverflowError(ANN),
    }

    def take(body: str) -> Taken:
        answer = answers[body]
        if isinstance(answer, Exception):
            raise answer
        return answer

    log = Lines()
    records = [Record(message_id=f"m-{place}", body=body) for place, body in enumerate(answers)]
    assert gateway.taken(records, take, log) == {
        "batchItemFailures": [{"itemIdentifier": f"m-{place}"} for place in (1, 3, 4, 5)]
    }
    assert log.lines == [
        ("error", "event cannot be read"),
        ("error", "event not settled"),
        ("error", "event not settled"),
        ("error", "event not settled"),
        ("info", "feedback taken"),
    ]


def test_the_line_of_a_batch_names_the_routes_it_told_of_each_once_and_no_recipient() -> None:
    class Fields(Lines):
        def info(self, message: str, /, **fields: Any) -> None:
            self.fields = fields

    log = Fields()
    told = {
        "settles": Taken(route_id=ROUTE_ID, settled=True),
        "is no news": Taken(route_id=ROUTE_ID),
        "of another": Taken(route_id=OTHER_ID),
        "of nobody": Taken(),
    }
    gateway.taken([Record(message_id="m", body=body) for body in told], told.__getitem__, log)
    assert log.fields == {
        "settled": 1,
        "failed": 0,
        "routes": sorted([str(ROUTE_ID), str(OTHER_ID)]),
    }


def test_a_cancel_is_told_in_numbers() -> None:
    answer = gateway.cancelled(Cancellation(cancelled=1, in_flight=2, ended=3))
    assert json.loads(answer["body"]) == {"cancelled": 1, "in_flight": 2, "ended": 3}


def test_a_device_is_told_without_token_and_endpoint() -> None:
    device = Device(
        user_id="u-1", device_session_id="d-1", platform="fcm", token="t-1", endpoint="e-1"
    )
    answer = gateway.registered(device)
    assert answer["statusCode"] == 200
    assert "t-1" not in answer["body"]
    assert "e-1" not in answer["body"]


def test_a_forgotten_device_is_a_204_with_nothing_in_it() -> None:
    assert gateway.deleted() == {"statusCode": 204, "headers": {}}


def test_a_direct_invocation_gets_the_document() -> None:
    assert gateway.document(gateway.answer(202, {"a": [1, NOON]})) == {
        "a": [1, "2026-11-23T12:00:00Z"]
    }


def test_what_is_on_record_of_an_email_is_told_with_its_route() -> None:
    record = EmailRecord(
        accepted_at=NOON,
        message_id="m-1",
        delivered_at=None,
        bounced_at=NOON,
        bounce_type="permanent",
        complained_at=None,
        delayed_at=None,
    )
    notification = replace(NOTIFICATION, routes=[replace(ROUTE, delivery=record)])
    answer = gateway.notification_answer(Story(notification=notification, histories={}))
    assert json.loads(answer["body"])["routes"][0]["delivery"] == {
        "accepted_at": "2026-11-23T12:00:00Z",
        "message_id": "m-1",
        "delivered_at": None,
        "bounced_at": "2026-11-23T12:00:00Z",
        "bounce_type": "permanent",
        "complained_at": None,
        "delayed_at": None,
    }
