"""Lambda's Invoke: one request that says what it comes from, and one error for all that fails."""

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from dovecote.core.ports import NotInvoked
from dovecote.wiring import clients

FUNCTION = "dovecote-dispatch:live"


def client(**more: Any) -> Any:
    return boto3.session.Session().client(
        "lambda",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}),
        **more,
    )


def test_a_call_is_an_event_that_nobody_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = client()
    monkeypatch.setattr(clients, "lambda_client", lambda: aws)
    with Stubber(aws) as stubber:
        stubber.add_response(
            "invoke",
            {"StatusCode": 202},
            {
                "FunctionName": FUNCTION,
                "InvocationType": "Event",
                "Payload": json.dumps({"source": "submit"}),
            },
        )
        clients.invoke_dispatch(FUNCTION)("submit")
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 429),
        ("ResourceNotFoundException", 404),
        ("AccessDeniedException", 403),
        ("ServiceException", 500),
        ("a code that botocore does not know", 418),
    ],
)
def test_whatever_lambda_refuses_with_is_not_invoked(
    monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    aws = client()
    monkeypatch.setattr(clients, "lambda_client", lambda: aws)
    with Stubber(aws) as stubber:
        stubber.add_client_error("invoke", code, "words", status, expected_params=ANY_CALL)
        with pytest.raises(NotInvoked, match=code):
            clients.invoke_dispatch(FUNCTION)("dispatch")


ANY_CALL = {"FunctionName": ANY, "InvocationType": ANY, "Payload": ANY}


def test_a_lambda_out_of_reach_is_not_invoked(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = client(endpoint_url="http://127.0.0.1:9")
    monkeypatch.setattr(clients, "lambda_client", lambda: aws)
    with pytest.raises(NotInvoked, match="EndpointConnectionError"):
        clients.invoke_dispatch(FUNCTION)("dispatch")


def test_no_client_is_made_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(clients, "lambda_client", lambda: made.append(1))
    clients.invoke_dispatch(FUNCTION)
    assert made == []
