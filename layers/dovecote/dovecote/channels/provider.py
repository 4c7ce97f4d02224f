"""The border to SES and SNS: what they answer becomes outcomes here and nowhere else.

By code and HTTP status, never by words but for one: SES says with one code that sends come too
fast, and that the day's quota is used up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from dovecote.model import (
    Ambiguous,
    Claim,
    Delivered,
    Failed,
    Outcome,
    Permanent,
    Throttled,
    Unavailable,
)
from dovecote.redaction import scrubbed

PERMANENT = frozenset(
    {
        # SES v2: the message, its sender or its configuration set would be refused again.
        "BadRequestException",
        "MessageRejected",
        "NotFoundException",
        # The same of one entry of a bulk call.
        "CONFIGURATION_SET_NOT_FOUND",
        "INVALID_PARAMETER",
        "MESSAGE_REJECTED",
        "TEMPLATE_NOT_FOUND",
        # SNS: the endpoint or topic is gone or disabled, or the message is not one.
        "EndpointDisabled",
        "InvalidParameter",
        "InvalidParameterValue",
        "NotFound",
        "ParameterValueInvalid",
        "ValidationException",
    }
)
"""Codes, and statuses of entries, after which the same message would be refused again."""

THROTTLED = frozenset(
    {
        "ACCOUNT_THROTTLED",
        "KMSThrottling",
        "RequestLimitExceeded",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes that say that the account sends too fast."""

ACCOUNT = frozenset(
    {
        "ACCOUNT_DAILY_QUOTA_EXCEEDED",
        "ACCOUNT_SENDING_PAUSED",
        "ACCOUNT_SUSPENDED",
        "AccountSuspendedException",
        "CONFIGURATION_SET_SENDING_PAUSED",
        "ExpiredToken",
        "ExpiredTokenException",
        # The pool of addresses that the configuration set names.
        "INVALID_SENDING_POOL_NAME",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "LimitExceededException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SendingPausedException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes that say that the account can't send for now, whatever the message."""

RESOURCE = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "KMSAccessDenied",
        "KMSDisabled",
        "KMSInvalidState",
        "KMSNotFound",
        "KMSOptInRequired",
        "MAIL_FROM_DOMAIN_NOT_VERIFIED",
        "MailFromDomainNotVerifiedException",
        "PlatformApplicationDisabled",
    }
)
"""Codes that say so of one identity, application or topic: policies and keys are theirs."""

ACCEPTED = "SUCCESS"
"""The status of an entry of a bulk call that SES took."""

NOT_SENT = (
    exceptions.ConnectTimeoutError,
    exceptions.EndpointConnectionError,
    exceptions.ProxyConnectionError,
)
"""No connection came about, so nothing was sent."""

NO_CREDENTIALS = (
    exceptions.CredentialRetrievalError,
    exceptions.NoAuthTokenError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.TokenRetrievalError,
)
"""The function can't sign for now."""

LOST = (
    exceptions.HTTPClientError,
    exceptions.SSLError,
    exceptions.ResponseStreamingError,
    exceptions.IncompleteReadError,
)
"""Something may have been sent, and no answer came: closed, timed out, cut off."""


Refused = Failed | Permanent | Throttled | Unavailable | Ambiguous


def refused(error: ClientError | BotoCoreError, claim: Claim, resource: str) -> Refused:
    """Return the outcome of a call that raised.

    `resource` is the identity, application or topic that it went through; its account is the
    claim's channel. An unknown code is a plain failure.
    """
    if not isinstance(error, ClientError):
        return _unanswered(error, claim)
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    words = str(error.response.get("Error", {}).get("Message", ""))
    text = scrubbed(f"{code} ({status}): {words}", claim)
    known = _known(code, _quota(words), text, claim, resource)
    if known is not None:
        return known
    lost = status >= 500 or 200 <= status < 300
    return Ambiguous(error=text) if lost else Failed(error=text)


def refused_together(
    error: ClientError | BotoCoreError, claims: Sequence[Claim], resource: str
) -> Refused:
    """Return the outcome of a call that raised and was for all of these claims."""
    outcome = refused(error, claims[0], resource)
    text = outcome.error
    for claim in claims[1:]:
        text = scrubbed(text, claim)
    return replace(outcome, error=text)


def of_the_request(outcome: Refused) -> bool:
    """Tell whether a call was refused for what it said: its parts alone may fare better."""
    if isinstance(outcome, Failed):
        return outcome.asked and not outcome.unreached
    return isinstance(outcome, Permanent)


def of_one_resource(outcome: Refused) -> bool:
    """Tell whether a call was refused for an identity, application or topic.

    It may be that of one recipient: the parts of the call alone may be accepted.
    """
    return isinstance(outcome, Unavailable) and "/" in outcome.resource


def told(entry: Mapping[str, Any], claim: Claim, resource: str) -> Outcome:
    """Return the outcome of one entry of a bulk call, by its status as by the code of an error.

    A status that is new is a plain failure; an acceptance without an id is one that nobody knows.
    """
    status, message_id = str(entry.get("Status", "Unknown")), entry.get("MessageId")
    if status == ACCEPTED and message_id:
        return Delivered(message_id=message_id)
    words = str(entry.get("Error") or "")
    text = scrubbed(f"{status}: {words}" if words else status, claim)
    if status == ACCEPTED:
        return Ambiguous(error=text)
    known = _known(status, _quota(words), text, claim, resource)
    return Failed(error=text) if known is None else known


def _known(code: str, quota: bool, text: str, claim: Claim, resource: str) -> Refused | None:
    """Return what a code or a status says by itself, or None."""
    if code in THROTTLED and not quota:
        return Throttled(resource=claim.channel, error=text)
    if code in ACCOUNT or code in THROTTLED:
        return Unavailable(resource=claim.channel, error=text)
    if code in RESOURCE:
        return Unavailable(resource=resource, error=text)
    if code in PERMANENT:
        dead = claim.endpoint if code == "EndpointDisabled" else None
        return Permanent(error=text, dead_endpoint=dead)
    return None


def _unanswered(error: BotoCoreError, claim: Claim) -> Refused:
    text = scrubbed(f"{type(error).__name__}: {error}", claim)
    if isinstance(error, NOT_SENT):
        return Failed(error=text, unreached=True)
    if isinstance(error, NO_CREDENTIALS):
        return Unavailable(resource=claim.channel, error=text)
    if isinstance(error, exceptions.ParamValidationError):
        return Permanent(error=text, asked=False)
    return Ambiguous(error=text) if isinstance(error, LOST) else Failed(error=text, asked=False)


def _quota(words: str) -> bool:
    """Tell the day's quota from the second's: SES has one code for both."""
    return "quota" in words.lower()
