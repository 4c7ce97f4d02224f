"""CloudFormation is answered, whatever happens."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dovecote.aws import cloudformation
from dovecote.aws.cloudformation import ANSWER_SECONDS, Lost
from dovecote.core.parsing.settings import BadSettings
from tests.cloudformation import SECRET, Waiting, waiting
from tests.functions import ROOT

SECONDS = ANSWER_SECONDS + 30
PAUSES = cloudformation.PAUSES


@pytest.fixture
def stack() -> Iterator[Waiting]:
    with waiting() as one:
        yield one


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudformation, "PAUSES", (0.0, 0.0, 0.0))


def version_3(_properties: Mapping[str, Any], _seconds: float) -> Mapping[str, str]:
    return {"Version": "3"}


def raising(error: Exception) -> cloudformation.Work:
    def work(_properties: Mapping[str, Any], _seconds: float) -> Mapping[str, str]:
        raise error

    return work


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_what_was_done_is_a_success_with_its_attributes(stack: Waiting, request_type: str) -> None:
    cloudformation.answer(stack.event(request_type), version_3, SECONDS)
    assert stack.answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "dovecote-schema",
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/dovecote/1",
        "RequestId": "request-1",
        "LogicalResourceId": "Schema",
        "Data": {"Version": "3"},
    }


def test_the_answer_has_an_empty_content_type(stack: Waiting) -> None:
    """Any other would have to be in the URL's signature."""
    cloudformation.answer(stack.event(), version_3, SECONDS)
    assert stack.headers[0]["Content-Type"] == ""


def test_work_is_given_the_properties_and_the_time_without_what_the_answer_takes(
    stack: Waiting,
) -> None:
    given: list[Any] = []

    def work(properties: Mapping[str, Any], seconds: float) -> Mapping[str, str]:
        given.append((properties, seconds))
        return {}

    cloudformation.answer(stack.event(), work, 600)
    ((properties, seconds),) = given
    assert properties["Users"] == {}
    assert seconds == 600 - ANSWER_SECONDS - cloudformation.GRACE_SECONDS


def test_a_deletion_is_a_success_and_no_work(stack: Waiting) -> None:
    event = stack.event("Delete", PhysicalResourceId="dovecote-schema")
    cloudformation.answer(event, raising(AssertionError("the data stays")), SECONDS)
    assert stack.answer["Status"] == "SUCCESS"
    assert stack.answer["PhysicalResourceId"] == "dovecote-schema"


def test_what_failed_is_told_in_our_own_words(stack: Waiting) -> None:
    cloudformation.answer(stack.event(), raising(BadSettings("DB_HOST: is not set")), SECONDS)
    assert stack.answer["Status"] == "FAILED"
    assert stack.answer["Reason"] == "DB_HOST: is not set"
    assert stack.answer["PhysicalResourceId"] == "dovecote-schema"
    assert "Data" not in stack.answer


def test_what_failed_elsewhere_is_told_by_its_kind_alone(
    stack: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    cloudformation.answer(stack.event(), raising(ValueError("password=hunter2")), SECONDS)
    assert stack.answer["Reason"] == "ValueError: see the function's log."
    assert "hunter2" in caplog.text


def test_an_answer_is_no_larger_than_cloudformation_takes(stack: Waiting) -> None:
    cloudformation.answer(stack.event(), raising(BadSettings('"ä\ud800\n' * 9000)), SECONDS)
    assert stack.answer["Status"] == "FAILED"
    assert stack.sizes[0] <= 4096


def test_work_that_comes_to_no_end_is_given_up_in_time(stack: Waiting) -> None:
    never = threading.Event()

    def work(_properties: Mapping[str, Any], _seconds: float) -> Mapping[str, str]:
        never.wait(60)
        return {}

    began = time.monotonic()
    cloudformation.answer(stack.event(), work, ANSWER_SECONDS + 0.2)
    assert time.monotonic() - began < 5
    assert (stack.answer["Status"], stack.answer["Reason"]) == (
        "FAILED", "The function's time ran out.",
    )  # fmt: skip
    never.set()


@pytest.mark.parametrize("trouble", [{"refuse": 3}, {"drop": 3}, {"refuse": 1, "drop": 2}])
def test_an_answer_that_was_not_taken_is_sent_again(stack: Waiting, trouble: Any) -> None:
    for name, times in trouble.items():
        setattr(stack, name, times)
    cloudformation.answer(stack.event(), version_3, SECONDS)
    assert stack.answer["Status"] == "SUCCESS"


def test_an_answer_that_is_never_taken_is_an_error_that_has_lambda_ask_again(
    stack: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    stack.refuse = 99
    with pytest.raises(Lost, match="HTTP 503") as caught:
        cloudformation.answer(stack.event(), version_3, SECONDS)
    assert stack.requests == 4
    assert SECRET not in f"{caught.value!r} {caplog.text}"


def test_all_tries_to_answer_fit_into_the_time_kept_for_them() -> None:
    assert sum(PAUSES) + (len(PAUSES) + 1) * cloudformation.SEND_SECONDS < ANSWER_SECONDS


def test_a_direct_invocation_is_not_cloudformation_s() -> None:
    assert not cloudformation.asks({})
    assert not cloudformation.asks({"users": {}})
    assert cloudformation.asks({"RequestType": "Create"})


def test_the_handler_is_there_before_anything_is_imported_that_could_fail() -> None:
    source = (
        "import sys; sys.path.insert(0, 'functions/provision'); import app;"
        "print([name for name in ('dovecote.wiring', 'psycopg', 'boto3', 'aws_lambda_powertools')"
        " if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={"PYTHONPATH": "layers/dovecote"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "[]"


def test_a_digest_is_another_one_where_any_value_is() -> None:
    digests = [
        cloudformation.digest(values)
        for values in (["INFO", "8"], ["DEBUG", "8"], ["8", "INFO"], ["INFO8", ""], ["INFO"])
    ]
    assert len(set(digests)) == len(digests)
    assert digests[0] == cloudformation.digest(["INFO", "8"])
    # It is the description of a version, which takes 256 characters.
    assert all(len(digest) <= 256 for digest in digests)
