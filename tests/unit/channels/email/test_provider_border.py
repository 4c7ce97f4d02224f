"""The border to SES: every error is an outcome, and names nobody."""

import string
import time
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from dovecote.channels.aws_errors import (
    LOST,
    NO_CREDENTIALS,
    NOT_SENT,
    entry_outcome,
    refused,
)
from dovecote.channels.email.channel import sending_rate
from dovecote.channels.email.errors import RULES
from dovecote.channels.email.identities import listed
from dovecote.channels.provider_errors import Meaning
from dovecote.core.errors import ProviderUnavailable
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    Outcome,
    Permanent,
    Throttled,
    Unavailable,
)
from dovecote.dispatch.sending.calls import may_differ_singly
from tests.unit.examples import ANN, a_claim

OPERATIONS = [
    ("sesv2", "SendEmail"),
    ("sesv2", "SendBulkEmail"),
    ("sesv2", "GetAccount"),
]

IDENTITY = "email/shop.example"
SENDER = "Nestbox Shop <Shop@Shop.example>"
ENDPOINT = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/0f1e2d3c-0000-4000-8000-00000001"
TOKEN = "ab12" * 16
CLAIM = a_claim(payload='{"name":"Ann","reset_url":"https://nestbox.example/reset/1"}')

ACCOUNT, RESOURCE = "email", IDENTITY
PAUSED = "Sending paused for this account"
NO_SET = "The configuration set does not exist"
SENDERS = "Email address is not verified: the sender's"
RECIPIENTS = "Email address is not verified: the recipient's, in the SES sandbox"
UNVERIFIED = "Email address is not verified. The following identities failed the check in region "


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
CODES = sorted({code for rule in RULES for code in rule.codes})
DEFAULTS = {code: rule for rule in reversed(RULES) if not rule.words for code in rule.codes}


def an_error(code: str, status: int = 400, message: str = "in words") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "SendEmail",
    )


def outcome(error: ClientError | BotoCoreError) -> Outcome:
    return refused(error, [CLAIM], IDENTITY, sender=SENDER)


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
    assert {"MessageRejected", "TooManyRequestsException"} <= codes
    assert len(MODELLED) >= 8
    assert {"SUCCESS", "ACCOUNT_THROTTLED", "FAILED"} <= set(STATUSES)
    assert len(STATUSES) >= 14


@pytest.mark.parametrize("code", sorted({code for code, _ in MODELLED} | set(STATUSES)))
def test_every_code_of_the_models_is_in_the_table(code: str) -> None:
    assert code == "SUCCESS" or code in DEFAULTS


# What each is, as AWS words it.


@pytest.mark.parametrize("code", [code for code in CODES if code in DEFAULTS])
def test_words_that_are_not_known_leave_a_code_its_default_and_are_not_kept(code: str) -> None:
    rule = DEFAULTS[code]
    said = f"{code} (400)" + (f": {rule.text}" if rule.text else "")
    expected: dict[Meaning, Outcome] = {
        Meaning.THROTTLED: Throttled(resource="email", error=said),
        Meaning.ACCOUNT: Unavailable(resource="email", error=said),
        Meaning.RESOURCE: Unavailable(resource=IDENTITY, error=said),
        Meaning.TARGET: Unavailable(resource=IDENTITY, error=said),
        Meaning.MESSAGE: Permanent(error=said),
        Meaning.RETRY: Failed(error=said),
        Meaning.UNKNOWN: Ambiguous(error=said),
    }
    assert outcome(an_error(code)) == expected[rule.meaning]


CONDITIONS = [
    # The account. GoodDollar/GoodServer issue 419, hcengineering/platform issue 8899:
    (
        "MessageRejected",
        "Sending paused for this account. For more information, please check the inbox of the "
        "email address associated with your AWS account.",
        ACCOUNT, PAUSED,
    ),
    ("MESSAGE_REJECTED", "Sending paused for this account.", ACCOUNT, PAUSED),
    ("FAILED", "Message rejected: Sending paused for this account.", ACCOUNT, PAUSED),
    ("BadRequestException", "Sending paused for this account", ACCOUNT, PAUSED),
    ("MessageRejected", "Email sending is disabled for your Amazon SES account.", ACCOUNT, PAUSED),
    ("MessageRejected", "Sending suspended for this account", ACCOUNT, PAUSED),
    ("MessageRejected", "SENDING PAUSED FOR THIS ACCOUNT", ACCOUNT, PAUSED),
    (
        "MessageRejected", "Your account's ability to send email is currently paused.", ACCOUNT,
        "The account cannot send",
    ),
    # Its configuration set. Notifuse/notifuse issue 162; the second is an identity's default set.
    ("NotFoundException", "Configuration set <dovecote> does not exist.", RESOURCE, NO_SET),
    ("BadRequestException", "Configuration set <dovecote> does not exist.", RESOURCE, NO_SET),
    ("MessageRejected", "Configuration set dovecote doesn't exist", RESOURCE, NO_SET),
    ("CONFIGURATION_SET_NOT_FOUND", "Configuration set <x> does not exist", RESOURCE, NO_SET),
    ("NotFoundException", "The resource you attempted to access doesn't exist.", RESOURCE, ""),
    (
        "MessageRejected", "Sending paused for configuration set dovecote", RESOURCE,
        "Sending paused for the configuration set",
    ),
    (
        "SendingPausedException", "Sending is disabled for this configuration set.", RESOURCE,
        "Sending paused for the configuration set",
    ),
    # The sender. WPManageNinja/fluent-smtp issues 90 and 243, mettle/sendportal issue 94:
    ("MessageRejected", f"{UNVERIFIED}AP-SOUTHEAST-2: shop@shop.example", RESOURCE, SENDERS),
    ("MessageRejected", f"{UNVERIFIED}US-WEST-2: Shop <shop@shop.example>", RESOURCE, SENDERS),
    (
        "MessageRejected",
        f"{UNVERIFIED}AP-SOUTHEAST-2: Shop <shop@shop.example>, shop@shop.example",
        RESOURCE, SENDERS,
    ),
    ("MESSAGE_REJECTED", f"{UNVERIFIED}EU-WEST-1: SHOP.example", RESOURCE, SENDERS),
    ("MessageRejected", f'{UNVERIFIED}X: "Shop, \\"S\\"" <shop@SHOP.example>', RESOURCE, SENDERS),
    ("MessageRejected", f"{UNVERIFIED}X: {ANN}, shop@shop.example", RESOURCE, SENDERS),
    ("MessageRejected", f"{UNVERIFIED}X: {ANN}, shop.example", RESOURCE, SENDERS),
    ("MessageRejected", f"{UNVERIFIED}X: bounces@shop.example", RESOURCE, SENDERS),
    # SES cannot show all of them, or shows none.
    ("MessageRejected", f"{UNVERIFIED}X: {ANN}, ...", RESOURCE, SENDERS),
    ("MessageRejected", "Email address is not verified.", RESOURCE, SENDERS),
    ("BadRequestException", f"{UNVERIFIED}X: shop@shop.example", RESOURCE, SENDERS),
    ("FAILED", f"{UNVERIFIED}X: shop@shop.example", RESOURCE, SENDERS),
    # Policies.
    (
        "AccessDeniedException",
        "User `arn:aws:sts::123456789012:assumed-role/x/y' is not authorized to perform "
        f"`ses:SendEmail' on resource `arn:aws:ses:eu-west-1:123456789012:identity/{ANN}'",
        RESOURCE, "The function is not authorized to send",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words", "resource", "text"), CONDITIONS)
def test_a_condition_of_account_sender_or_configuration_pauses_and_burns_no_attempt(
    code: str, words: str, resource: str, text: str
) -> None:
    alone, entry_ = outcome(an_error(code, 400, words)), entry(code, words)
    said = f": {text}" if text else ""
    assert alone == Unavailable(resource=resource, error=f"{code} (400){said}")
    assert entry_ == Unavailable(resource=resource, error=f"{code}{said}")


@pytest.mark.parametrize(
    ("code", "words", "text"),
    [
        ("MessageRejected", f"{UNVERIFIED}US-EAST-1: {ANN}", RECIPIENTS),
        ("MessageRejected", f"{UNVERIFIED}US-EAST-1: {ANN}, {ANN}", RECIPIENTS),
        ("MessageRejected", f"{UNVERIFIED}US-EAST-1: {ANN.upper()}", RECIPIENTS),
        ("MESSAGE_REJECTED", f"{UNVERIFIED}US-EAST-1: Ann <{ANN}>", RECIPIENTS),
        ("MessageRejected", f"{UNVERIFIED}X: simulator.amazonses.com", RECIPIENTS),
        # cloud-custodian issue 885, brave/accounts issue 35, delphi-aws-ses issue 22
        ("BadRequestException", "Missing final '@domain'", "The address is not valid"),
        ("MessageRejected", "Local address contains control", "The address is not valid"),
        ("INVALID_PARAMETER", "Domain contains illegal character", "The address is not valid"),
        ("MessageRejected", "The message contains a virus", "The content is refused"),
    ],
)
def test_a_refusal_of_the_recipient_or_the_content_is_permanent(
    code: str, words: str, text: str
) -> None:
    assert outcome(an_error(code, 400, words)) == Permanent(error=f"{code} (400): {text}")
    assert entry(code, words) == Permanent(error=f"{code}: {text}")


def test_an_email_to_its_own_sender_is_refused_for_the_sender() -> None:
    claim = a_claim(address="shop@shop.example")
    error = an_error("MessageRejected", 400, f"{UNVERIFIED}X: shop@shop.example")
    assert refused(error, [claim], IDENTITY, sender=SENDER) == Unavailable(
        resource=IDENTITY, error=f"MessageRejected (400): {SENDERS}"
    )


@pytest.mark.parametrize(("name", "permanent"), [("b@x.example", True), ("c@x.example", False)])
def test_a_bulk_call_is_refused_for_one_of_its_recipients(name: str, permanent: bool) -> None:
    claims = [a_claim(address=f"{one}@x.example") for one in "ab"]
    error = an_error("MessageRejected", 400, f"{UNVERIFIED}X: {name}")
    together = refused(error, claims, IDENTITY, sender=SENDER)
    assert isinstance(together, Permanent) is permanent
    assert may_differ_singly(together)


@pytest.mark.parametrize(
    "words",
    [
        # Where a message repeats an address, the address selects no meaning.
        "Invalid value <sending paused for this account>@x.example",
        "Header: Configuration set <x> does not exist",
        f'Illegal address "{UNVERIFIED}X: shop@shop.example"@x.example',
        "no: Sending paused for this account",
    ],
)
def test_words_that_are_not_at_the_start_of_a_message_pause_nothing(words: str) -> None:
    assert not isinstance(outcome(an_error("BadRequestException", 400, words)), Unavailable)
    assert not isinstance(outcome(an_error("MessageRejected", 400, words)), Unavailable)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (f"{UNVERIFIED}X: A@x.example, B <b@x.example>", {"a@x.example", "b@x.example"}),
        (f'{UNVERIFIED}X: "a, c@x.example" <b@x.example>', {"b@x.example"}),
        (f"{UNVERIFIED}X: arn:aws:ses:eu-west-1:1:identity/X.example", {"x.example"}),
        (f"{UNVERIFIED}X: =?utf-8?q?a=2C?= <a@x.example>.", {"=?utf-8?q?a=2c?= <a@x.example>"}),
        (f"{UNVERIFIED}X: ", set()),
        ("Email address is not verified.", set()),
    ],
)
def test_identities_are_read_in_each_form(words: str, names: set[str]) -> None:
    assert listed(words) == names


@pytest.mark.parametrize(
    ("code", "status", "message", "expected"),
    [
        # the second's quota, and the day's by the same code
        (
            "TooManyRequestsException", 429, "Maximum sending rate exceeded.",
            Throttled(
                resource="email",
                error="TooManyRequestsException (429): Maximum sending rate exceeded",
            ),
        ),
        (
            "TooManyRequestsException", 429, "Daily message quota exceeded.",
            Unavailable(
                resource="email",
                error="TooManyRequestsException (429): Daily message quota exceeded",
            ),
        ),
        (
            "Throttling", 400, "Daily message QUOTA exceeded",
            Unavailable(resource="email", error="Throttling (400): Daily message quota exceeded"),
        ),
        (
            "ACCOUNT_THROTTLED", 400, "Daily sending quota exceeded",
            Unavailable(
                resource="email", error="ACCOUNT_THROTTLED (400): Daily message quota exceeded"
            ),
        ),
        # a code that is new: by its status
        ("Unheard", 400, "of", Failed(error="Unheard (400)")),
        ("Unheard", 404, "of", Failed(error="Unheard (404)")),
        ("400", 400, "", Failed(error="400 (400)")),
        ("Unheard", 401, "of", Unavailable(resource="email", error="Unheard (401)")),
        ("403", 403, "", Unavailable(resource=IDENTITY, error="403 (403)")),
        ("413", 413, "", Permanent(error="413 (413)")),
        ("429", 429, "", Throttled(resource="email", error="429 (429)")),
        # 5xx, and an error with a status of success: it may have been accepted
        ("InternalFailure", 500, "no", Ambiguous(error="InternalFailure (500)")),
        ("InternalError", 500, "no", Ambiguous(error="InternalError (500)")),
        ("ServiceUnavailable", 503, "no", Ambiguous(error="ServiceUnavailable (503)")),
        ("503", 503, "", Ambiguous(error="503 (503)")),
        ("502", 502, "", Ambiguous(error="502 (502)")),
        ("Unheard", 200, "of", Ambiguous(error="Unheard (200)")),
        # a 5xx whose code says more is that
        (
            "Throttling", 503, "slow down",
            Throttled(resource="email", error="Throttling (503)"),
        ),
        # a code that is no identifier is not kept
        (f"no {ANN}", 400, "of", Failed(error="Unknown (400)")),
    ],
)  # fmt: skip
def test_an_answer_is_what_its_code_its_words_or_its_status_say(
    code: str, status: int, message: str, expected: Outcome
) -> None:
    assert outcome(an_error(code, status, message)) == expected


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
    assert outcome(ClientError(response, "SendEmail")) == Failed(error="Unknown (0)")


# Entries of a bulk call.

AS_OF_A_CALL = {
    "MESSAGE_REJECTED": "MessageRejected",
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "MailFromDomainNotVerifiedException",
    "CONFIGURATION_SET_NOT_FOUND": "NotFoundException",
    "ACCOUNT_SUSPENDED": "AccountSuspendedException",
    "ACCOUNT_THROTTLED": "TooManyRequestsException",
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": "LimitExceededException",
    "ACCOUNT_SENDING_PAUSED": "SendingPausedException",
    "INVALID_PARAMETER": "BadRequestException",
}
"""The error of a SendEmail that says what a status says of an entry."""


def entry(status: str, words: str = "in words", **more: str) -> Outcome:
    answer = {"Status": status, "Error": words, **more}
    return entry_outcome(answer, CLAIM, IDENTITY, sender=SENDER)


@pytest.mark.parametrize(("status", "code"), AS_OF_A_CALL.items())
def test_an_entry_is_refused_as_its_own_call_would_be(status: str, code: str) -> None:
    alone: Any = outcome(an_error(code))
    assert entry(status) == replace(alone, error=status)


def test_every_other_status_is_named_here() -> None:
    own = {
        "SUCCESS", "FAILED", "TRANSIENT_FAILURE", "INVALID_SENDING_POOL_NAME",
        "CONFIGURATION_SET_SENDING_PAUSED", "TEMPLATE_NOT_FOUND",
    }  # fmt: skip
    assert set(STATUSES) - AS_OF_A_CALL.keys() == own


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Status": "SUCCESS", "MessageId": "m-1"}, Delivered(message_id="m-1")),
        # accepted, and its id is lost
        ({"Status": "SUCCESS"}, Ambiguous(error="SUCCESS")),
        # it may fare better the next time
        ({"Status": "FAILED", "Error": "no"}, Failed(error="FAILED")),
        ({"Status": "TRANSIENT_FAILURE"}, Failed(error="TRANSIENT_FAILURE")),
        # a status that is new, and none
        ({"Status": "UNHEARD", "Error": "of"}, Failed(error="UNHEARD")),
        ({}, Failed(error="Unknown")),
        # the set's pool of addresses is wrong whatever the message
        (
            {"Status": "INVALID_SENDING_POOL_NAME", "Error": "no pool"},
            Unavailable(resource=IDENTITY, error="INVALID_SENDING_POOL_NAME"),
        ),
        (
            {"Status": "CONFIGURATION_SET_SENDING_PAUSED"},
            Unavailable(resource=IDENTITY, error="CONFIGURATION_SET_SENDING_PAUSED"),
        ),
    ],
    ids=str,
)
def test_an_entry_is_what_its_status_says(answer: dict[str, str], expected: Outcome) -> None:
    assert entry_outcome(answer, CLAIM, IDENTITY, sender=SENDER) == expected


def test_an_entry_repeats_nobody() -> None:
    for status in STATUSES:
        for words in (
            SECRETS,
            f"{UNVERIFIED}X: {SECRETS}",
            f"Configuration set {SECRETS} {NO_SET}",
        ):
            assert_silent(entry(status, words))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (an_error("BadRequestException"), True),
        (an_error("MessageRejected"), True),
        (an_error("Unheard"), True),
        (made(exceptions.ParamValidationError), True),
        # an identity, which may be that of one recipient, or the configuration set
        (an_error("NotFoundException", 404), True),
        (an_error("AccessDeniedException", 403), True),
        # the account
        (an_error("TooManyRequestsException", 429), False),
        (an_error("SendingPausedException"), False),
        # unknown, or no request was sent
        (an_error("InternalFailure", 500), False),
        (made(exceptions.ReadTimeoutError), False),
        (made(exceptions.ConnectTimeoutError), False),
        (made(exceptions.NoRegionError), False),
    ],
    ids=str,
)
def test_the_messages_of_a_refused_bulk_request_are_sent_singly_where_that_may_differ(
    error: ClientError | BotoCoreError, expected: bool
) -> None:
    assert may_differ_singly(refused(error, [CLAIM], IDENTITY)) is expected


# No answer.


@pytest.mark.parametrize("kind", all_of_botocore(), ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_is_an_outcome(kind: type[BotoCoreError]) -> None:
    result: Any = outcome(made(kind))
    assert not isinstance(result, Throttled)
    assert result.error == kind.__name__


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
    for secret in (ANN, "success", TOKEN, "reset/1", ENDPOINT.rpartition("/")[2], "arn:"):
        assert secret not in result.error
        assert secret not in repr(result)


@pytest.mark.parametrize("code", ["Unheard", *CODES])
@pytest.mark.parametrize("status", [400, 500])
def test_no_answer_repeats_whom_or_what_it_was_for(code: str, status: int) -> None:
    for words in (
        f"cannot reach {SECRETS}",
        f"{UNVERIFIED}EU-WEST-1: {SECRETS}",
        f"Configuration set <{SECRETS}> does not exist.",
        f"User `{SECRETS}' is not authorized to perform `{SECRETS}'",
        f"Invalid parameter: TopicArn Reason: {SECRETS}",
        f"Illegal address: {SECRETS}",
    ):
        assert_silent(outcome(an_error(code, status, words)))


def test_no_word_of_a_message_is_kept_but_those_of_the_table() -> None:
    known = {rule.text for rule in RULES} | {SENDERS, RECIPIENTS}
    for code, words, _, _ in CONDITIONS:
        result: Any = outcome(an_error(code, 400, f"{words} {SECRETS}"))
        assert result.error.partition(": ")[2] in known


@pytest.mark.parametrize("kind", all_of_botocore(), ids=lambda kind: kind.__name__)
def test_no_error_of_botocore_repeats_whom_or_what_it_was_for(kind: type[BotoCoreError]) -> None:
    assert_silent(outcome(made(kind, SECRETS)))


@pytest.mark.parametrize(
    "run", ["no ", '"', "<", "a,", "x", f"{UNVERIFIED}X: ", "account ", "User "]
)
def test_a_long_answer_is_read_at_once(run: str) -> None:
    started = time.process_time()
    for code in ("MessageRejected", "AccessDenied", "TooManyRequestsException"):
        outcome(an_error(code, 400, run * 100_000))
        outcome(an_error(code, 400, f"{UNVERIFIED}X: " + run * 100_000))
    assert time.process_time() - started < 1
