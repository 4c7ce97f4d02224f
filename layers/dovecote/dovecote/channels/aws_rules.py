"""The rows of errors that every AWS service has; the table of an AWS channel includes them."""

from collections.abc import Sequence

from dovecote.channels.provider_errors import Meaning, Rule

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
