"""What each error of SES and SNS means: one table, by code, and by words where those decide.

docs/provider-errors.md is this table in Markdown; a test compares them.
Patterns match from the start of the provider's message, so that text which a producer controls
(an address that the message repeats) cannot select a meaning.
"""

import re
from collections.abc import Iterator, Sequence
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


_TROUBLE = "SES developer guide, troubleshoot-error-messages"
_MODEL = "service model in botocore"
_COMMON = "AWS common errors"

_CONTENT = ("MessageRejected", "MESSAGE_REJECTED")
_INPUT = (
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
_NOT_FOUND = ("NotFound", "NotFoundException", "CONFIGURATION_SET_NOT_FOUND")
_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
_THROTTLES = (
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

RULES: Sequence[Rule] = (
    # Words that mean the same under any code.
    Rule(
        words=r"(email )?sending (is |has been )?(paused|suspended|disabled) for "
        r"(this |your |the )?(aws |amazon ses |ses )?account",
        meaning=Meaning.ACCOUNT,
        text="Sending paused for this account",
        source="GoodDollar/GoodServer issue 419: MessageRejected from SES",
    ),
    Rule(
        words=r"(the |this |your )?(aws |amazon ses |ses )?account('s|s)? [^.:]*"
        r"(paused|suspended|disabled|restricted|shut down|under review|probation)",
        meaning=Meaning.ACCOUNT,
        text="The account cannot send",
        source=f"{_TROUBLE}: account is paused; {_MODEL}: AccountSuspendedException",
    ),
    Rule(
        words=r"(email )?sending (is |has been )?(paused|suspended|disabled) for "
        r"(this |your |the )?configuration set",
        meaning=Meaning.RESOURCE,
        text="Sending paused for the configuration set",
        source="SES API v1, ConfigurationSetSendingPausedException",
    ),
    Rule(
        words=r"(the )?configuration set .{0,200}(does not exist|doesn't exist|not found)",
        meaning=Meaning.RESOURCE,
        text="The configuration set does not exist",
        source="Notifuse/notifuse issue 162; SES developer guide: a deleted default configuration "
        "set of an identity is answered with a bad request",
    ),
    Rule(
        words=r"(the )?(sending ?pool|dedicated ip pool|ip pool) .{0,200}"
        r"(does not exist|doesn't exist|not found)",
        meaning=Meaning.RESOURCE,
        text="The IP pool does not exist",
        source="aws-cloudformation/rain issue 271",
    ),
    Rule(
        words=r"(email address|address|domain|email identity|identity|sender)(es)? "
        r"(is|are|has|have) (not|n't) (been )?verified",
        meaning=Meaning.IDENTITIES,
        text="Email address is not verified",
        source=f"{_TROUBLE}: in the sandbox SES lists recipients too",
    ),
    Rule(
        words=r"(mail from|mail-from|custom mail from|sending) domain [^:]*not (been )?verified",
        meaning=Meaning.RESOURCE,
        text="The MAIL FROM domain is not verified",
        source=f"{_MODEL}: MailFromDomainNotVerifiedException",
    ),
    # SES refuses the content of one message, or an address.
    Rule(
        codes=_CONTENT,
        words=r"[^:@<]{0,80}\b(virus|malware|malicious|bad content|invalid content)\b",
        meaning=Meaning.MESSAGE,
        text="The content is refused",
        source=f"{_MODEL}: BulkEmailStatus, MESSAGE_REJECTED",
    ),
    Rule(
        codes=(*_CONTENT, *_INPUT),
        words=r"(illegal address|missing final '@domain'|missing domain|invalid domain name"
        r"|missing local name|domain (contains|starts|ends)|local (address|name) (contains|starts"
        r"|ends)|address (is )?(blacklisted|too long)|invalid (email )?address)",
        meaning=Meaning.MESSAGE,
        text="The address is not valid",
        source="brave/accounts issue 35, monde-sistemas/delphi-aws-ses issue 22, "
        "anymail/django-anymail issue 281",
    ),
    Rule(
        codes=_CONTENT,
        meaning=Meaning.RETRY,
        source="SES uses the code for conditions of the account and for content. Retrying content "
        "costs a few refused calls; giving up on a condition would dead-letter a whole backlog",
    ),
    # SNS refuses a parameter: the endpoint, the topic, or the message.
    Rule(
        codes=(*_INPUT, "NotFound", "NotFoundException"),
        words=r"(invalid parameter: )?(targetarn reason: )?(no (platform )?endpoint (was )?found\b"
        r"|(the |this |platform )*endpoint\b(?![^.;]*\bapplication\b)[^.;]*\b(not exist|not found"
        r"|not be found|no longer exists|deleted)\b)",
        meaning=Meaning.TARGET,
        text="The endpoint does not exist",
        source="LocalStack's SNS provider quotes the message of AWS",
    ),
    Rule(
        codes=(*_INPUT, "NotFound", "NotFoundException"),
        words=r"(invalid parameter: )?((topicarn|platformapplicationarn)\b"
        r"|(no |the )?(topic|platform ?application) "
        r"(does not exist|doesn't exist|(was |is )?(not )?found))",
        meaning=Meaning.RESOURCE,
        text="The topic or platform application does not exist",
        source="LocalStack's SNS provider quotes the message of AWS",
    ),
    Rule(
        codes=_INPUT,
        words=r"(invalid parameter: )?(message too long|message reason|invalid message header)",
        meaning=Meaning.MESSAGE,
        text="The message is not valid",
        source="SNS API reference, Publish: 256 KB",
    ),
    Rule(
        codes=_INPUT,
        meaning=Meaning.MESSAGE,
        source=f"{_MODEL}. Sender, topic and application are checked when Dovecote is deployed: "
        "what varies is the message, and it would be refused again",
    ),
    # What a send goes through is missing.
    Rule(
        codes=("NotFound",),
        meaning=Meaning.TARGET,
        source=f"{_MODEL}, SNS Publish: the endpoint or topic. A dead device registers again at "
        "its next start",
    ),
    Rule(
        codes=("NotFoundException", "CONFIGURATION_SET_NOT_FOUND"),
        meaning=Meaning.RESOURCE,
        source=f"{_MODEL}. A send names nothing that can be missing but the configuration set, "
        "and no message is to blame for it",
    ),
    Rule(
        codes=("TEMPLATE_NOT_FOUND",),
        meaning=Meaning.MESSAGE,
        source=f"{_MODEL}. Dovecote sends inline templates only",
    ),
    Rule(
        codes=("EndpointDisabled", "EndpointDisabledException"),
        meaning=Meaning.TARGET,
        text="The endpoint is disabled",
        source=f"{_MODEL}, SNS Publish",
    ),
    Rule(
        codes=(
            "FilterPolicyLimitExceeded",
            "KMSAccessDenied",
            "KMSDisabled",
            "KMSInvalidState",
            "KMSNotFound",
            "KMSOptInRequired",
            "PlatformApplicationDisabled",
            "PlatformApplicationDisabledException",
        ),
        meaning=Meaning.RESOURCE,
        source=f"{_MODEL}, SNS Publish: keys, policies and credentials of the topic or application",
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
        source=f"{_COMMON}. Policies name identities and topics",
    ),
    Rule(
        codes=(
            "INVALID_SENDING_POOL_NAME",
            "MAIL_FROM_DOMAIN_NOT_VERIFIED",
            "MailFromDomainNotVerifiedException",
            "CONFIGURATION_SET_SENDING_PAUSED",
            "ConfigurationSetDoesNotExist",
            "ConfigurationSetSendingPausedException",
        ),
        meaning=Meaning.RESOURCE,
        source=f"{_MODEL}: the sender's domain, or the configuration set, which can be the default "
        "of one identity",
    ),
    # Whether the account can send at all.
    Rule(
        codes=(
            "ACCOUNT_DAILY_QUOTA_EXCEEDED",
            "ACCOUNT_SENDING_PAUSED",
            "ACCOUNT_SUSPENDED",
            "AccountSendingPausedException",
            "AccountSuspendedException",
            "LimitExceededException",
            "SendingPausedException",
        ),
        meaning=Meaning.ACCOUNT,
        source=f"{_MODEL}: sending is paused or suspended, or a quota of the account is used up",
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
        source=f"{_COMMON}: credentials, clock or subscription of the account",
    ),
    # How fast, and how much.
    Rule(
        codes=_THROTTLES,
        words=r"(daily (message|sending)|.*\bquota)\b",
        meaning=Meaning.ACCOUNT,
        text="Daily message quota exceeded",
        source="SES developer guide, manage-sending-quotas-errors: one code for both quotas",
    ),
    Rule(
        codes=_THROTTLES,
        words=r"maximum sending rate exceeded",
        meaning=Meaning.THROTTLED,
        text="Maximum sending rate exceeded",
        source="SES developer guide, manage-sending-quotas-errors",
    ),
    Rule(
        codes=_THROTTLES,
        meaning=Meaning.THROTTLED,
        source=f"{_MODEL}; {_COMMON}. A daily quota by other words is found by the next probes",
    ),
    # Nothing is known but that the entry or the request failed.
    Rule(
        codes=("FAILED", "TRANSIENT_FAILURE"),
        meaning=Meaning.RETRY,
        source=f"{_MODEL}: BulkEmailStatus; the entry was not sent",
    ),
    Rule(
        codes=("InternalError", "InternalFailure", "ServiceUnavailable", "503", "500"),
        meaning=Meaning.UNKNOWN,
        source=f"{_MODEL}; {_COMMON}: the message may have been accepted all the same",
    ),
)  # fmt: skip

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
_PREFIX = re.compile(r"(\s|message rejected:)*", re.IGNORECASE)


def code_of(code: object) -> str:
    """Return a code fit to be stored: an AWS identifier, or Unknown."""
    text = str(code)
    return text if _CODE.fullmatch(text) and code is not None else "Unknown"


def rule_of(code: str, words: str) -> Rule | None:
    """Return the first row that matches a code and a message, or None."""
    words = words[_end_of_prefix(words) :]
    return next(_matching(code, words), None)


def by_status(status: int) -> Meaning:
    """Return what an error means whose code is not in the table."""
    exact = {known: meaning for known, meaning, _ in UNLISTED}
    if str(status) in exact:
        return exact[str(status)]
    return exact["2xx, 5xx" if status >= 500 or 200 <= status < 300 else "other"]


def _end_of_prefix(words: str) -> int:
    found = _PREFIX.match(words)
    return found.end() if found else 0


def _matching(code: str, words: str) -> Iterator[Rule]:
    for rule in RULES:
        if (code in rule.codes or not rule.codes) and (
            rule.words is None or re.match(rule.words, words, re.IGNORECASE | re.DOTALL)
        ):
            yield rule


def markdown() -> Iterator[str]:
    """Yield the rows of the table in Markdown, as docs/provider-errors.md has them."""
    yield "| code | the message begins with | meaning | stored words | source, and why |"
    yield "| --- | --- | --- | --- | --- |"
    for rule in RULES:
        codes = ", ".join(f"`{code}`" for code in rule.codes) or "any"
        words = f"`{_escaped(rule.words)}`" if rule.words else "anything else"
        yield f"| {codes} | {words} | {rule.meaning} | {rule.text} | {rule.source} |"
    for status, meaning, why in UNLISTED:
        yield f"| any other, HTTP {status} | anything else | {meaning} | | {why} |"


def _escaped(words: str) -> str:
    return words.replace("|", "\\|")
