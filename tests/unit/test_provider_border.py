"""The border to SES and SNS: every error of theirs is an outcome, and names nobody."""

import string
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from dovecote.channels.email import sending_rate
from dovecote.channels.provider import (
    ACCOUNT,
    LOST,
    NO_CREDENTIALS,
    NOT_SENT,
    PERMANENT,
    RESOURCE,
    THROTTLED,
    of_the_request,
    refused,
    refused_together,
    told,
)
from dovecote.model import (
    Ambiguous,
    Channel,
    Delivered,
    Failed,
    Outcome,
    Permanent,
    Target,
    Throttled,
    Unavailable,
)
from dovecote.ports import ProviderUnavailable
from dovecote.redaction import MAX_LENGTH
from tests.unit.examples import ANN, a_claim

SETS = {"PERMANENT": PERMANENT, "THROTTLED": THROTTLED, "ACCOUNT": ACCOUNT, "RESOURCE": RESOURCE}
OPERATIONS = [
    ("sesv2", "SendEmail"),
    ("sesv2", "SendBulkEmail"),
    ("sesv2", "GetAccount"),
    ("sns", "Publish"),
]

NEITHER = {
    # its status says it: the message may have been accepted all the same
    "InternalError",
    # statuses of an entry that say nothing but that it was not sent
    "FAILED",
    "TRANSIENT_FAILURE",
}
"""Codes of the models that are in none of the sets, each with the reason."""

IDENTITY = "email/shop.example"
ENDPOINT = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/0f1e2d3c-0000-4000-8000-00000001"
TOKEN = "ab12" * 16
CLAIM = a_claim(payload='{"name":"Ann","reset_url":"https://nestbox.example/reset/1"}')
PUSH = a_claim(channel=Channel.PUSH, endpoint=ENDPOINT)


def errors_of_the_models() -> Iterator[tuple[str, int]]:
    """Yield code and HTTP status of every error of the calls that are in use."""
    session = botocore.session.get_session()
    for service, operation in OPERATIONS:
        for shape in session.get_service_model(service).operation_model(operation).error_shapes:
            yield shape.error_code, shape.metadata["error"]["httpStatusCode"]


def statuses_of_the_model() -> list[str]:
    """Return every status of an entry of a bulk call."""
    model = botocore.session.get_session().get_service_model("sesv2")
    return list(model.shape_for("BulkEmailStatus").enum)


STATUSES = statuses_of_the_model()
MODELLED = sorted(set(errors_of_the_models()))


def an_error(code: str, status: int = 400, message: str = "in words") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "SendEmail",
    )


def outcome(error: ClientError | BotoCoreError) -> Outcome:
    return refused(error, CLAIM, IDENTITY)


def all_of_botocore() -> list[type[BotoCoreError]]:
    """Return its errors; boto3 adds some of its own, of what is not in use here."""

    def below(kind: type[BotoCoreError]) -> Iterator[type[BotoCoreError]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    own = {kind for kind in below(BotoCoreError) if kind.__module__ == exceptions.__name__}
    return sorted(own, key=lambda kind: kind.__name__)


def made(kind: type[BotoCoreError], word: str = "x") -> BotoCoreError:
    """Make an error with whatever its words need, each of them this word."""
    needed = {name for _, name, _, _ in string.Formatter().parse(kind.fmt) if name}
    return kind(**dict.fromkeys(needed | NEEDED.get(kind, set()), word))


NEEDED: dict[type[BotoCoreError], set[str]] = {
    exceptions.WaiterError: {"last_response"},
}
"""What some need beyond their words."""


# Every code has its place.


def test_the_models_were_read() -> None:
    codes = {code for code, _ in MODELLED}
    assert {"MessageRejected", "TooManyRequestsException", "EndpointDisabled"} <= codes
    assert len(MODELLED) >= 20


@pytest.mark.parametrize(("code", "status"), MODELLED)
def test_every_error_of_the_calls_in_use_is_in_exactly_one_set(code: str, status: int) -> None:
    places = [name for name, codes in SETS.items() if code in codes]
    assert len(places) == (0 if code in NEITHER else 1), places


@pytest.mark.parametrize(("code", "status"), MODELLED)
def test_no_error_of_the_calls_in_use_is_a_plain_failure(code: str, status: int) -> None:
    assert not isinstance(outcome(an_error(code, status)), Failed)


def test_no_code_is_in_two_sets() -> None:
    everything = [code for codes in SETS.values() for code in codes]
    assert len(everything) == len(set(everything))


# What each is.


@pytest.mark.parametrize("code", sorted(PERMANENT))
def test_a_refusal_of_the_message_is_permanent(code: str) -> None:
    assert outcome(an_error(code)) == Permanent(error=f"{code} (400): in words")


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_too_fast_is_throttled_for_the_whole_channel(code: str) -> None:
    assert outcome(an_error(code, 429, "Maximum sending rate exceeded.")) == Throttled(
        resource="email", error=f"{code} (429): Maximum sending rate exceeded."
    )


@pytest.mark.parametrize("code", sorted(ACCOUNT))
def test_what_the_account_cannot_do_is_unavailable_for_the_whole_channel(code: str) -> None:
    assert outcome(an_error(code)) == Unavailable(resource="email", error=f"{code} (400): in words")


@pytest.mark.parametrize("code", sorted(RESOURCE))
def test_what_one_identity_or_application_cannot_do_is_unavailable_for_it(code: str) -> None:
    assert outcome(an_error(code, 403)) == Unavailable(
        resource=IDENTITY, error=f"{code} (403): in words"
    )


@pytest.mark.parametrize(
    ("code", "status", "message", "expected"),
    [
        # SES: the second's quota, and the day's by the same code
        (
            "TooManyRequestsException", 429, "Maximum sending rate exceeded.",
            Throttled(
                resource="email",
                error="TooManyRequestsException (429): Maximum sending rate exceeded.",
            ),
        ),
        (
            "TooManyRequestsException", 429, "Daily message quota exceeded.",
            Unavailable(
                resource="email",
                error="TooManyRequestsException (429): Daily message quota exceeded.",
            ),
        ),
        (
            "Throttling", 400, "Daily message QUOTA exceeded",
            Unavailable(resource="email", error="Throttling (400): Daily message QUOTA exceeded"),
        ),
        # SNS
        (
            "Throttled", 429, "Rate exceeded",
            Throttled(resource="email", error="Throttled (429): Rate exceeded"),
        ),
        # the account
        (
            "AccountSuspendedException", 400, "suspended",
            Unavailable(resource="email", error="AccountSuspendedException (400): suspended"),
        ),
        (
            "SendingPausedException", 400, "paused",
            Unavailable(resource="email", error="SendingPausedException (400): paused"),
        ),
        (
            "LimitExceededException", 400, "too many",
            Unavailable(resource="email", error="LimitExceededException (400): too many"),
        ),
        (
            "ExpiredTokenException", 403, "expired",
            Unavailable(resource="email", error="ExpiredTokenException (403): expired"),
        ),
        # a policy names identities and topics
        (
            "AccessDeniedException", 403, "not authorized",
            Unavailable(resource=IDENTITY, error="AccessDeniedException (403): not authorized"),
        ),
        # a code that is new: as a failure, whatever may follow
        ("Unheard", 400, "of", Failed(error="Unheard (400): of")),
        ("Unheard", 404, "of", Failed(error="Unheard (404): of")),
        # 5xx, and an error with a status of success: it may have been accepted
        ("InternalFailure", 500, "no", Ambiguous(error="InternalFailure (500): no")),
        ("InternalError", 500, "no", Ambiguous(error="InternalError (500): no")),
        ("ServiceUnavailable", 503, "no", Ambiguous(error="ServiceUnavailable (503): no")),
        ("503", 503, "", Ambiguous(error="503 (503):")),
        ("Unheard", 200, "of", Ambiguous(error="Unheard (200): of")),
        # a 5xx whose code says more is that
        (
            "Throttling", 503, "slow down",
            Throttled(resource="email", error="Throttling (503): slow down"),
        ),
    ],
)  # fmt: skip
def test_an_answer_is_what_its_code_its_status_or_its_one_word_says(
    code: str, status: int, message: str, expected: Outcome
) -> None:
    assert outcome(an_error(code, status, message)) == expected


def test_an_application_that_is_disabled_pauses_alone() -> None:
    error = an_error("PlatformApplicationDisabled", 400, "disabled")
    assert refused(error, PUSH, "push/GCM/shop") == Unavailable(
        resource="push/GCM/shop", error="PlatformApplicationDisabled (400): disabled"
    )


def test_a_throttle_of_sns_pauses_push_alone() -> None:
    error = an_error("Throttled", 429, "Rate exceeded")
    assert refused(error, PUSH, "push/GCM/shop") == Throttled(
        resource="push", error="Throttled (429): Rate exceeded"
    )


NO_ENDPOINT = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"
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
    result = refused(an_error(code, status, words), PUSH, "push/GCM/shop")
    assert isinstance(result, Permanent)
    assert result.dead_endpoint == ENDPOINT


@pytest.mark.parametrize(("code", "status", "words"), NOT_GONE)
def test_a_missing_application_or_a_wrong_message_says_nothing_of_the_device(
    code: str, status: int, words: str
) -> None:
    result = refused(an_error(code, status, words), PUSH, "push/GCM/shop")
    assert getattr(result, "dead_endpoint", None) is None


@pytest.mark.parametrize(("code", "status", "words"), [*GONE, *NOT_GONE])
@pytest.mark.parametrize("endpoint", [None, ENDPOINT])
def test_what_is_missing_behind_a_topic_is_no_device(
    code: str, status: int, words: str, endpoint: str | None
) -> None:
    topic = a_claim(channel=Channel.PUSH, target=Target.TOPIC, endpoint=endpoint)
    result = refused(an_error(code, status, words), topic, "push/topic")
    assert getattr(result, "dead_endpoint", None) is None


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"Error": {}},
        {"Error": {"Code": None}},
        {"Error": {"Message": None}, "ResponseMetadata": {}},
    ],
    ids=str,
)
def test_an_answer_that_says_nothing_is_a_plain_failure(response: dict[str, Any]) -> None:
    failed = outcome(ClientError(response, "SendEmail"))
    assert isinstance(failed, Failed)
    assert not failed.unreached
    assert failed.asked


# Entries of a bulk call.

AS_OF_A_CALL = {
    "MESSAGE_REJECTED": "MessageRejected",
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "MailFromDomainNotVerifiedException",
    "CONFIGURATION_SET_NOT_FOUND": "NotFoundException",
    "TEMPLATE_NOT_FOUND": "NotFoundException",
    "ACCOUNT_SUSPENDED": "AccountSuspendedException",
    "ACCOUNT_THROTTLED": "TooManyRequestsException",
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": "LimitExceededException",
    "ACCOUNT_SENDING_PAUSED": "SendingPausedException",
    "CONFIGURATION_SET_SENDING_PAUSED": "SendingPausedException",
    "INVALID_PARAMETER": "BadRequestException",
}
"""The error of a SendEmail that says what a status says of an entry."""


def entry(status: str, words: str = "in words", **more: str) -> Outcome:
    return told({"Status": status, "Error": words, **more}, CLAIM, IDENTITY)


def test_the_statuses_were_read() -> None:
    assert {"SUCCESS", "ACCOUNT_THROTTLED", "FAILED"} <= set(STATUSES)
    assert len(STATUSES) >= 14


@pytest.mark.parametrize("status", [one for one in STATUSES if one != "SUCCESS"])
def test_every_status_is_in_exactly_one_set(status: str) -> None:
    places = [name for name, codes in SETS.items() if status in codes]
    assert len(places) == (0 if status in NEITHER else 1), places


@pytest.mark.parametrize(("status", "code"), AS_OF_A_CALL.items())
def test_an_entry_is_refused_as_its_own_call_would_be(status: str, code: str) -> None:
    alone: Any = outcome(an_error(code))
    assert entry(status) == replace(alone, error=f"{status}: in words")


def test_every_other_status_is_named_here() -> None:
    own = {"SUCCESS", "FAILED", "TRANSIENT_FAILURE", "INVALID_SENDING_POOL_NAME"}
    assert set(STATUSES) - AS_OF_A_CALL.keys() == own


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Status": "SUCCESS", "MessageId": "m-1"}, Delivered(message_id="m-1")),
        # accepted, and its id is lost
        ({"Status": "SUCCESS"}, Ambiguous(error="SUCCESS")),
        # it may fare better the next time
        ({"Status": "FAILED", "Error": "no"}, Failed(error="FAILED: no")),
        ({"Status": "TRANSIENT_FAILURE"}, Failed(error="TRANSIENT_FAILURE")),
        # a status that is new, and none
        ({"Status": "UNHEARD", "Error": "of"}, Failed(error="UNHEARD: of")),
        ({}, Failed(error="Unknown")),
        # the set's pool of addresses is wrong whatever the message
        (
            {"Status": "INVALID_SENDING_POOL_NAME", "Error": "no pool"},
            Unavailable(resource="email", error="INVALID_SENDING_POOL_NAME: no pool"),
        ),
    ],
    ids=str,
)
def test_an_entry_is_what_its_status_says(answer: dict[str, str], expected: Outcome) -> None:
    assert told(answer, CLAIM, IDENTITY) == expected


def test_an_entry_repeats_nobody() -> None:
    for status in STATUSES:
        assert_silent(entry(status, SECRETS))


def test_a_call_that_is_refused_names_none_of_those_that_it_was_for() -> None:
    others = [
        a_claim(payload='{"name":"Ann","code":"swordfish"}'),
        a_claim(payload='{"name":"Bob","code":"open sesame"}'),
    ]
    error = an_error("Unheard", 400, f"no: {SECRETS} swordfish, open sesame")
    result: Any = refused_together(error, [CLAIM, *others], IDENTITY)
    assert_silent(result)
    assert "swordfish" not in result.error
    assert "sesame" not in result.error
    assert type(result) is Failed


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (an_error("BadRequestException"), True),
        (an_error("MessageRejected"), True),
        (an_error("NotFoundException", 404), True),
        (an_error("Unheard"), True),
        (made(exceptions.ParamValidationError), True),
        # the account's, or the identity's
        (an_error("TooManyRequestsException", 429), False),
        (an_error("SendingPausedException"), False),
        (an_error("AccessDeniedException", 403), False),
        # nobody knows, or nobody was asked
        (an_error("InternalFailure", 500), False),
        (made(exceptions.ReadTimeoutError), False),
        (made(exceptions.ConnectTimeoutError), False),
        (made(exceptions.NoRegionError), False),
    ],
    ids=str,
)
def test_only_a_refusal_of_the_request_is_worth_to_ask_singly(
    error: ClientError | BotoCoreError, expected: bool
) -> None:
    assert of_the_request(refused(error, CLAIM, IDENTITY)) is expected


# No answer.


@pytest.mark.parametrize("kind", all_of_botocore(), ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_is_an_outcome(kind: type[BotoCoreError]) -> None:
    result: Any = outcome(made(kind))
    assert not isinstance(result, Throttled)
    # A name of forty letters and digits could be a token.
    assert result.error.startswith((f"{kind.__name__}: ", "<token> "))
    assert "\n" not in result.error


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # no connection came about: nothing was sent
        (exceptions.ConnectTimeoutError, Failed(error="", unreached=True)),
        (exceptions.EndpointConnectionError, Failed(error="", unreached=True)),
        (exceptions.ProxyConnectionError, Failed(error="", unreached=True)),
        # something may have been sent, and the answer is lost
        (exceptions.SSLError, Ambiguous(error="")),
        (exceptions.ReadTimeoutError, Ambiguous(error="")),
        (exceptions.ConnectionClosedError, Ambiguous(error="")),
        (exceptions.HTTPClientError, Ambiguous(error="")),
        (exceptions.ResponseStreamingError, Ambiguous(error="")),
        (exceptions.IncompleteReadError, Ambiguous(error="")),
        # it could not be signed
        (exceptions.NoCredentialsError, Unavailable(resource="email", error="")),
        (exceptions.PartialCredentialsError, Unavailable(resource="email", error="")),
        (exceptions.CredentialRetrievalError, Unavailable(resource="email", error="")),
        (exceptions.TokenRetrievalError, Unavailable(resource="email", error="")),
        (exceptions.NoAuthTokenError, Unavailable(resource="email", error="")),
        # the SDK would not even send it, and never will
        (exceptions.ParamValidationError, Permanent(error="", asked=False)),
        # anything else went wrong before the provider was asked
        (exceptions.NoRegionError, Failed(error="", asked=False)),
        (exceptions.EndpointResolutionError, Failed(error="", asked=False)),
        (exceptions.UnknownServiceError, Failed(error="", asked=False)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_without_an_answer_it_counts_whether_something_was_sent(
    kind: type[BotoCoreError], expected: Outcome
) -> None:
    result: Any = outcome(made(kind))
    assert result == replace(expected, error=result.error)


def test_no_error_without_an_answer_is_of_two_sorts() -> None:
    for kind in all_of_botocore():
        sorts = [sort for sort in (NOT_SENT, LOST, NO_CREDENTIALS) if issubclass(kind, sort)]
        assert len(sorts) <= 1, kind


def test_the_sdk_has_no_lost_answer_that_is_not_known_here() -> None:
    """A new error of its HTTP client would be one of these two by its ancestors."""
    clients = (exceptions.HTTPClientError, exceptions.ConnectionError)
    for kind in all_of_botocore():
        if issubclass(kind, clients) and kind is not exceptions.ConnectionError:
            assert issubclass(kind, (*NOT_SENT, *LOST)), kind


# The rate of the account.


class Account:
    """A client of SES that knows GetAccount alone."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def get_account(self) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_the_account_says_how_fast_it_may_send() -> None:
    assert sending_rate(Account({"SendQuota": {"MaxSendRate": 14.0, "SentLast24Hours": 3}})) == 14


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        # out of reach, or not allowed
        (an_error("AccessDeniedException", 403), "ClientError"),
        (made(exceptions.EndpointConnectionError), "EndpointConnectionError"),
        (made(exceptions.ReadTimeoutError), "ReadTimeoutError"),
        # it does not say
        ({}, "KeyError"),
        ({"SendQuota": {"SentLast24Hours": 3}}, "KeyError"),
        # no rate that anything could be sent at
        ({"SendQuota": {"MaxSendRate": 0.0}}, "MaxSendRate is 0"),
        ({"SendQuota": {"MaxSendRate": -1.0}}, "MaxSendRate is -1"),
    ],
    ids=str,
)
def test_without_a_rate_that_is_one_it_is_not_known(answer: Any, words: str) -> None:
    with pytest.raises(ProviderUnavailable, match=words):
        sending_rate(Account(answer))


# Words.

SECRETS = f"{ANN} at {ENDPOINT} with {TOKEN} or https://nestbox.example/reset/1"


def assert_silent(result: Any) -> None:
    for secret in (ANN, "success", TOKEN, "reset/1", ENDPOINT.rpartition("/")[2]):
        assert secret not in result.error
        assert secret not in repr(result)


@pytest.mark.parametrize(
    "code", ["Unheard", *sorted(NEITHER), *(min(codes) for codes in SETS.values())]
)
@pytest.mark.parametrize("status", [400, 500])
def test_no_answer_repeats_whom_or_what_it_was_for(code: str, status: int) -> None:
    assert_silent(outcome(an_error(code, status, f"cannot reach {SECRETS}")))


def test_a_dead_endpoint_is_known_but_not_shown() -> None:
    result = refused(an_error("EndpointDisabled", 400, SECRETS), PUSH, "push/GCM/shop")
    assert isinstance(result, Permanent)
    assert result.dead_endpoint == ENDPOINT
    assert ENDPOINT not in repr(result)


@pytest.mark.parametrize("kind", all_of_botocore(), ids=lambda kind: kind.__name__)
def test_no_error_of_botocore_repeats_whom_or_what_it_was_for(kind: type[BotoCoreError]) -> None:
    assert_silent(outcome(made(kind, SECRETS)))


def test_a_long_answer_is_cut_to_a_size() -> None:
    result: Any = outcome(an_error("Unheard", 400, "no " * 10_000))
    assert len(result.error) <= MAX_LENGTH
