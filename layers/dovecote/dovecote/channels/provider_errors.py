"""Tables of what a provider's errors mean: by code, and by words where those decide.

Each channel has its table in errors.py. docs/provider-errors.md has them in Markdown; a test
compares them.
Patterns match from the start of the provider's message, so that text which a producer controls
(an address that the message repeats) cannot select a meaning.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Meaning(StrEnum):
    """What an error says, and what Dovecote does about it."""

    THROTTLED = "throttled"
    """The account sends too fast: the channel slows down, the attempt is not counted."""
    ACCOUNT = "account"
    """The account cannot send: the channel pauses, the attempt is not counted."""
    RESOURCE = "resource"
    """The identity, application or topic cannot send: it pauses, the attempt is not counted."""
    TARGET = "target"
    """What the push was for is gone: a device is marked dead, a topic pauses."""
    IDENTITIES = "identities"
    """The identities that the message lists decide between RESOURCE and MESSAGE."""
    MESSAGE = "message"
    """The message or its recipient is refused for good: a dead letter at the first attempt."""
    RETRY = "retry"
    """The attempt failed and is counted; a later one may succeed."""
    UNKNOWN = "unknown"
    """The provider may have accepted the message: the route is in doubt."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row: an error with one of `codes` (none: any) whose message matches `words` (none: any).

    `text` is what Dovecote stores of the message. `source` says where the row comes from, and
    why the default of a code is the safe one.
    """

    codes: tuple[str, ...] = ()
    words: str | None = None
    meaning: Meaning
    text: str = ""
    source: str


UNLISTED: Sequence[tuple[str, Meaning, str]] = (
    ("401", Meaning.ACCOUNT, "the credentials are refused"),
    ("403", Meaning.RESOURCE, "a policy refuses the send"),
    ("413", Meaning.MESSAGE, "a message does not become smaller"),
    ("429", Meaning.THROTTLED, "too many requests, whatever the code"),
    ("2xx, 5xx", Meaning.UNKNOWN, "the message may have been accepted all the same"),
    ("other", Meaning.RETRY, "a retry costs an attempt and loses nothing"),
)
"""What a code that is not in the table means, by HTTP status."""

_CODE = re.compile(r"[A-Za-z0-9_.]{1,64}")
_PREFIX = re.compile(r"\A(\s|message rejected:)*", re.IGNORECASE)


def code_of(code: object) -> str:
    """Return a code fit to be stored: an AWS identifier, or Unknown."""
    text = str(code)
    return text if _CODE.fullmatch(text) and code is not None else "Unknown"


def rule_of(rules: Sequence[Rule], code: str, words: str) -> Rule | None:
    """Return the first row of a table that matches a code and a message, or None."""
    words = _PREFIX.sub("", words, count=1)
    for rule in rules:
        if (code in rule.codes or not rule.codes) and (
            rule.words is None or re.match(rule.words, words, re.IGNORECASE | re.DOTALL)
        ):
            return rule
    return None


def by_status(status: int) -> Meaning:
    """Return what an error means whose code is not in the table."""
    exact = {known: meaning for known, meaning, _ in UNLISTED}
    if str(status) in exact:
        return exact[str(status)]
    return exact["2xx, 5xx" if status >= 500 or 200 <= status < 300 else "other"]


MODEL = "service model in botocore"
COMMON = "AWS common errors"

INPUT = (
    "BadRequestException",
    "INVALID_PARAMETER",
    "InvalidParameter",
    "InvalidParameterException",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "ParameterValueInvalid",
    "ValidationError",
    "ValidationException",
)
_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
THROTTLES = (
    "ACCOUNT_THROTTLED",
    "KMSThrottling",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
)

ACCOUNT_WORDS = Rule(
    words=r"(the |this |your )?(aws |amazon ses |ses )?account('s|s)? [^.:]*"
    r"(paused|suspended|disabled|restricted|shut down|under review|probation)",
    meaning=Meaning.ACCOUNT,
    text="The account cannot send",
    source="SES developer guide, troubleshoot-error-messages: account is paused; "
    f"{MODEL}: AccountSuspendedException",
)
"""The words mean the same under any code: the row goes before those of codes."""

SHARED: Sequence[Rule] = (
    Rule(
        codes=INPUT,
        meaning=Meaning.MESSAGE,
        source=f"{MODEL}. Sender, topic and application are checked when Dovecote is deployed: "
        "what varies is the message, and it would be refused again",
    ),
    # Who may send.
    Rule(
        codes=_DENIED,
        words=r"(access denied: )?user:? .* is not authorized to perform",
        meaning=Meaning.RESOURCE,
        text="The function is not authorized to send",
        source="aws/aws-sdk-js issue 3641: policies name identities and topics",
    ),
    Rule(
        codes=_DENIED,
        meaning=Meaning.RESOURCE,
        source=f"{COMMON}. Policies name identities and topics",
    ),
    Rule(
        codes=(
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OptInRequired",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        meaning=Meaning.ACCOUNT,
        source=f"{COMMON}: credentials, clock or subscription of the account",
    ),
    Rule(
        codes=THROTTLES,
        meaning=Meaning.THROTTLED,
        source=f"{MODEL}; {COMMON}. A daily quota by other words is found by the next probes",
    ),
    Rule(
        codes=("InternalError", "InternalFailure", "ServiceUnavailable", "503", "500"),
        meaning=Meaning.UNKNOWN,
        source=f"{MODEL}; {COMMON}: the message may have been accepted all the same",
    ),
)
"""The defaults of codes: they go behind a channel's own rows."""
