"""The border to SES and SNS: botocore's errors become outcomes here and nowhere else.

By code and HTTP status, never by words but for one: SES says with one code that sends come too
fast, and that the day's quota is used up.
"""

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from dovecote.model import Ambiguous, Claim, Failed, Outcome, Permanent, Throttled, Unavailable
from dovecote.redaction import scrubbed

PERMANENT = frozenset(
    {
        # SES v2: the message, its sender or its configuration set would be refused again.
        "BadRequestException",
        "MessageRejected",
        "NotFoundException",
        # SNS: the endpoint or topic is gone or disabled, or the message is not one.
        "EndpointDisabled",
        "InvalidParameter",
        "InvalidParameterValue",
        "NotFound",
        "ParameterValueInvalid",
        "ValidationException",
    }
)
"""Codes after which the same message would be refused again."""

THROTTLED = frozenset(
    {
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
        "AccountSuspendedException",
        "ExpiredToken",
        "ExpiredTokenException",
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
        "MailFromDomainNotVerifiedException",
        "PlatformApplicationDisabled",
    }
)
"""Codes that say so of one identity, application or topic: policies and keys are theirs."""

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


def refused(error: ClientError | BotoCoreError, claim: Claim, resource: str) -> Outcome:
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
    if code in THROTTLED and not _quota(words):
        return Throttled(resource=claim.channel, error=text)
    if code in ACCOUNT or code in THROTTLED:
        return Unavailable(resource=claim.channel, error=text)
    if code in RESOURCE:
        return Unavailable(resource=resource, error=text)
    if code in PERMANENT:
        dead = claim.endpoint if code == "EndpointDisabled" else None
        return Permanent(error=text, dead_endpoint=dead)
    lost = status >= 500 or 200 <= status < 300
    return Ambiguous(error=text) if lost else Failed(error=text)


def _unanswered(error: BotoCoreError, claim: Claim) -> Outcome:
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
