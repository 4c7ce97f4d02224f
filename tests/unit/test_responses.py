"""HTTP responses, and the problems that errors become."""

import json

import pytest

from dovecote.aws import responses
from dovecote.core.errors import (
    ProviderUnavailable,
    StoreBusy,
    StoreError,
    StoreFailed,
    StoreUnavailable,
)
from dovecote.core.problems import Conflict, Fault, InProgress, Invalid, Malformed
from tests.unit.examples import NOON
from tests.unit.lines import Lines


def raising(error: Exception) -> responses.Response:
    return responses.respond(lambda: _raise(error), Lines())


def _raise(error: Exception) -> responses.Response:
    raise error


def test_the_response_of_a_call_is_returned() -> None:
    response = responses.ok({"a": 1})
    assert responses.respond(lambda: response, Lines()) is response


@pytest.mark.parametrize("error", [StoreUnavailable("down"), StoreBusy("waiting")])
def test_a_store_out_of_reach_is_a_503_with_retry_after(error: Exception) -> None:
    log = Lines()
    response = responses.respond(lambda: _raise(error), log)
    assert response["statusCode"] == 503
    assert response["headers"]["Retry-After"] == "5"
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(response["body"])["status"] == 503
    assert "down" not in response["body"]
    assert log.lines == [("error", "database out of reach")]


def test_a_push_provider_out_of_reach_is_a_503() -> None:
    log = Lines()
    response = responses.respond(lambda: _raise(ProviderUnavailable("Throttling")), log)
    assert response["statusCode"] == 503
    assert "Throttling" not in response["body"]
    assert log.lines == [("error", "push provider out of reach")]


def test_a_problem_is_its_document() -> None:
    response = raising(Invalid("in words", [Fault("/kind", "is missing")]))
    assert response["statusCode"] == 422
    assert response["headers"] == {"Content-Type": "application/problem+json"}
    assert json.loads(response["body"]) == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "in words",
        "errors": [{"pointer": "/kind", "detail": "is missing"}],
    }


def test_a_malformed_request_is_a_400() -> None:
    assert raising(Malformed("in words"))["statusCode"] == 400


def test_a_conflict_is_a_409_and_only_one_in_progress_has_retry_after() -> None:
    assert raising(Conflict("in words"))["statusCode"] == 409
    assert "Retry-After" not in raising(Conflict("in words"))["headers"]
    assert raising(InProgress("in words"))["statusCode"] == 409
    assert raising(InProgress("in words"))["headers"]["Retry-After"] == "1"


@pytest.mark.parametrize("error", [StoreFailed("bug"), StoreError("bug"), ValueError("bug")])
def test_other_errors_are_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        raising(error)


def test_no_content_is_a_204_without_a_body() -> None:
    assert responses.no_content() == {"statusCode": 204, "headers": {}}


def test_a_direct_invocation_gets_the_body_as_a_document() -> None:
    assert responses.body(responses.ok({"a": [1, NOON]})) == {"a": [1, "2026-11-23T12:00:00Z"]}
