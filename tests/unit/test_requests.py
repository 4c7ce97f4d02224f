"""The parts of an HTTP request."""

import base64
from typing import Any

import pytest

from dovecote.aws import events
from dovecote.core.problems import Malformed


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
def test_an_http_event_is_distinguished_from_a_direct_invocation(
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
        # a lone surrogate: bytes that are not UTF-8, which the parser refuses later
        ({"body": '"\ud800"'}, b'"\xed\xa0\x80"'),
    ],
)
def test_a_body_is_bytes(event: dict[str, Any], body: bytes) -> None:
    assert events.body(a_request(**event)) == body


@pytest.mark.parametrize("body", ["eA=", "not base64", "\u00fc", "e\nA=="])
def test_a_body_that_is_not_base64_is_malformed(body: str) -> None:
    with pytest.raises(Malformed):
        events.body(a_request(body=body, isBase64Encoded=True))


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
def test_a_header_is_found_in_any_case(name: str) -> None:
    assert events.header(a_request(headers={"idempotency-key": "k-1"}), name) == "k-1"


def test_a_header_in_two_spellings_is_joined_as_one_that_was_sent_twice() -> None:
    request = a_request(headers={"Idempotency-Key": "k-1", "idempotency-key": "k-2"})
    assert events.header(request, "idempotency-key") == "k-1,k-2"


@pytest.mark.parametrize("event", [{}, {"headers": None}, {"headers": {}}])
def test_a_missing_header_is_none(event: dict[str, Any]) -> None:
    assert events.header(a_request(**event), "traceparent") is None


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
def test_the_caller_is_the_principal_that_api_gateway_authorised(
    authorizer: dict[str, Any], who: str
) -> None:
    assert events.caller(a_request(requestContext=authorizer)) == who
