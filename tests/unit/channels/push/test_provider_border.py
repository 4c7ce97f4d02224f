"""The border to SNS: every error is an outcome, and names nobody."""

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from dovecote.channels.aws_errors import refused
from dovecote.channels.provider_errors import Meaning
from dovecote.channels.push.errors import RULES
from dovecote.core.outcome import (
    Ambiguous,
    Failed,
    Outcome,
    Permanent,
    Throttled,
    Unavailable,
)
from dovecote.core.route import Target
from tests.unit.examples import ANN, a_claim

ENDPOINT = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/0f1e2d3c-0000-4000-8000-00000001"
APPLICATION = "push/GCM/shop"
SECRETS = f"{ANN} at {ENDPOINT} with {'ab12' * 16} or https://nestbox.example/reset/1"
PUSH = a_claim(channel="push", target=Target.DEVICE, endpoint=ENDPOINT)
TOPIC = a_claim(channel="push", target=Target.TOPIC)
MODELLED = sorted(
    {
        shape.error_code
        for shape in botocore.session.get_session()
        .get_service_model("sns")
        .operation_model("Publish")
        .error_shapes
    }
)
CODES = sorted({code for rule in RULES for code in rule.codes})
DEFAULTS = {code: rule for rule in reversed(RULES) if not rule.words for code in rule.codes}


def an_error(code: str, status: int = 400, message: str = "in words") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "Publish",
    )


def test_the_model_was_read() -> None:
    assert "EndpointDisabled" in MODELLED
    assert len(MODELLED) >= 10


@pytest.mark.parametrize("code", MODELLED)
def test_every_code_of_the_model_is_in_the_table(code: str) -> None:
    assert code in DEFAULTS


@pytest.mark.parametrize("code", [code for code in CODES if code in DEFAULTS])
def test_words_that_are_not_known_leave_a_code_its_default_and_are_not_kept(code: str) -> None:
    rule = DEFAULTS[code]
    text = f"{code} (400)" + (f": {rule.text}" if rule.text else "")
    expected: dict[Meaning, Outcome] = {
        Meaning.THROTTLED: Throttled(resource="push", error=text),
        Meaning.ACCOUNT: Unavailable(resource="push", error=text),
        Meaning.RESOURCE: Unavailable(resource=APPLICATION, error=text),
        Meaning.TARGET: Permanent(error=text, dead_endpoint=ENDPOINT),
        Meaning.MESSAGE: Permanent(error=text),
        Meaning.RETRY: Failed(error=text),
        Meaning.UNKNOWN: Ambiguous(error=text),
    }
    assert refused(an_error(code), [PUSH], APPLICATION) == expected[rule.meaning]


NO_ENDPOINT = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        ("EndpointDisabled", "Endpoint is disabled", "The endpoint is disabled"),
        ("InvalidParameter", NO_ENDPOINT, "The endpoint does not exist"),
        ("NotFound", "Endpoint does not exist", "The endpoint does not exist"),
        ("NotFound", f"Endpoint {ENDPOINT} was deleted", "The endpoint does not exist"),
        ("InvalidParameter", "The endpoint could not be found", "The endpoint does not exist"),
        ("NotFound", "in words", ""),
    ],
)
def test_an_endpoint_that_is_gone_is_one_of_a_dead_device(
    code: str, words: str, expected: str
) -> None:
    said = f"{code} (400)" + (f": {expected}" if expected else "")
    assert refused(an_error(code, 400, words), [PUSH], APPLICATION) == Permanent(
        error=said, dead_endpoint=ENDPOINT
    )


GONE = [
    ("EndpointDisabled", 400, "Endpoint is disabled"),
    ("EndpointDisabled", 400, "in words"),
    ("InvalidParameter", 400, NO_ENDPOINT),
    ("InvalidParameter", 400, NO_ENDPOINT.upper()),
    ("InvalidParameter", 400, "Invalid parameter: No platform endpoint found"),
    ("InvalidParameter", 400, f"Endpoint {ENDPOINT} does not exist"),
    ("InvalidParameterException", 400, NO_ENDPOINT),
    ("InvalidParameterValue", 400, "Endpoint not found"),
    ("NotFound", 404, "Endpoint does not exist"),
    ("NotFound", 404, f"Endpoint {ENDPOINT.replace('shop', 'my-application')} does not exist"),
    ("NotFound", 404, "in words"),
    ("NotFound", 404, ""),
    ("NotFoundException", 404, "Endpoint does not exist"),
]
NOT_GONE = [
    ("NotFound", 404, "PlatformApplication does not exist"),
    ("NotFound", 404, "No platform application found for the endpoint"),
    ("NotFound", 404, "Topic does not exist"),
    ("NotFoundException", 404, "Platform application not found"),
    ("InvalidParameter", 400, "in words"),
    ("InvalidParameter", 400, "Invalid parameter: Message Reason: Invalid notification"),
    ("InvalidParameter", 400, "Invalid parameter: TargetArn Reason: not a valid endpoint ARN"),
    ("InvalidParameter", 400, "The endpoint of a platform application that does not exist"),
    ("ParameterValueInvalid", 400, "in words"),
    ("Unheard", 404, "Endpoint does not exist"),
]


@pytest.mark.parametrize(("code", "status", "words"), GONE)
def test_an_endpoint_that_is_disabled_or_gone_is_one_of_a_dead_device(
    code: str, status: int, words: str
) -> None:
    result = refused(an_error(code, status, words), [PUSH], "push/GCM/shop")
    assert isinstance(result, Permanent)
    assert result.dead_endpoint == ENDPOINT


@pytest.mark.parametrize(("code", "status", "words"), NOT_GONE)
def test_a_missing_application_or_a_wrong_message_says_nothing_of_the_device(
    code: str, status: int, words: str
) -> None:
    result = refused(an_error(code, status, words), [PUSH], "push/GCM/shop")
    assert getattr(result, "dead_endpoint", None) is None


@pytest.mark.parametrize(("code", "status", "words"), [*GONE, *NOT_GONE])
@pytest.mark.parametrize("endpoint", [None, ENDPOINT])
def test_what_is_missing_behind_a_topic_is_no_device(
    code: str, status: int, words: str, endpoint: str | None
) -> None:
    topic = a_claim(channel="push", target=Target.TOPIC, endpoint=endpoint)
    result = refused(an_error(code, status, words), [topic], "push/topic")
    assert getattr(result, "dead_endpoint", None) is None


@pytest.mark.parametrize(
    ("code", "words", "claim"),
    [
        ("PlatformApplicationDisabled", "in words", PUSH),
        ("InvalidParameter", "Invalid parameter: PlatformApplicationArn Reason: x", PUSH),
        ("NotFound", "PlatformApplication does not exist", PUSH),
        ("AuthorizationError", "User: arn is not authorized to perform: SNS:Publish", PUSH),
        ("KMSAccessDenied", "null (Service: AWSKMS; Status Code: 400)", TOPIC),
        ("NotFound", "Topic does not exist", TOPIC),
        ("NotFound", "in words", TOPIC),
        ("InvalidParameter", "Invalid parameter: TopicArn Reason: no valid ARN", TOPIC),
        ("EndpointDisabled", "in words", TOPIC),
    ],
)
def test_what_an_application_or_topic_cannot_do_pauses_it(
    code: str, words: str, claim: Any
) -> None:
    result = refused(an_error(code, 400, words), [claim], APPLICATION)
    assert isinstance(result, Unavailable)
    assert result.resource == APPLICATION


@pytest.mark.parametrize("code", ["InvalidParameter", "ParameterValueInvalid"])
@pytest.mark.parametrize("words", ["in words", "Invalid parameter: Message too long"])
def test_a_push_that_sns_cannot_take_is_permanent_and_its_device_lives(
    code: str, words: str
) -> None:
    result = refused(an_error(code, 400, words), [PUSH], APPLICATION)
    assert isinstance(result, Permanent)
    assert result.dead_endpoint is None


def test_a_throttle_of_sns_pauses_push_alone() -> None:
    error = an_error("Throttled", 429, "Rate exceeded")
    assert refused(error, [PUSH], APPLICATION) == Throttled(
        resource="push", error="Throttled (429)"
    )


def test_a_dead_endpoint_is_known_but_not_shown() -> None:
    result = refused(an_error("EndpointDisabled", 400, SECRETS), [PUSH], APPLICATION)
    assert isinstance(result, Permanent)
    assert result.dead_endpoint == ENDPOINT
    assert ENDPOINT not in repr(result)


@pytest.mark.parametrize("code", ["Unheard", *CODES])
@pytest.mark.parametrize("status", [400, 500])
def test_no_answer_repeats_whom_or_what_it_was_for(code: str, status: int) -> None:
    for words in (
        f"cannot reach {SECRETS}",
        f"User `{SECRETS}' is not authorized to perform `{SECRETS}'",
        f"Invalid parameter: TopicArn Reason: {SECRETS}",
        f"Endpoint {SECRETS} does not exist",
    ):
        result: Any = refused(an_error(code, status, words), [PUSH], APPLICATION)
        for secret in (ANN, "reset/1", "0f1e2d3c", "arn:"):
            assert secret not in result.error
            assert secret not in repr(result)
