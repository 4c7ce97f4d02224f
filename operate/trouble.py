"""What AWS and the way to it refuse, in words: the one border to botocore's errors."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from operate.finding import Finding, wrong

ERRORS = (BotoCoreError, ClientError)
"""All that a call may raise; neither is the other's."""

DENIED = {
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException",
    "NotAuthorized", "UnauthorizedOperation",
}  # fmt: skip
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_KEYS = {
    "AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId",
    "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
}  # fmt: skip
MISSING = {"NotFound", "NotFoundException", "ResourceNotFoundException"}
THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestThrottled"}

_ACTION = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")

SIGN_IN = "export AWS_PROFILE=…, run aws sso login or aws configure; aws sts get-caller-identity"
LOOK_ROUND = "look at the region of samconfig.toml, the network, HTTPS_PROXY and AWS_ENDPOINT_URL"
Words = tuple[str, str]

# What is wrong, and what to do, by AWS's codes and by botocore's types.
_OF_CODES: Sequence[tuple[set[str], str, str]] = (
    (EXPIRED, "the credentials have expired ({code})", SIGN_IN),
    (UNKNOWN_KEYS, "AWS does not know these credentials ({code})", SIGN_IN),
    (THROTTLED, "AWS throttles these calls ({code})", "run it again in a minute"),
)
_OF_TYPES: Sequence[tuple[tuple[type[BotoCoreError], ...], str, str]] = (
    (
        (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
        "there are no credentials: {error}",
        SIGN_IN,
    ),
    (
        (boto.SSOError, boto.TokenRetrievalError, boto.NoAuthTokenError, boto.ProfileNotFound),
        "nobody is signed in: {error}",
        SIGN_IN,
    ),
    (
        (boto.NoRegionError,),
        "no region is named",
        'export AWS_DEFAULT_REGION=…, or write region = "…" into the section of samconfig.toml',
    ),
    (
        (boto.ConnectionError, boto.HTTPClientError),
        "AWS cannot be reached: {error}",
        LOOK_ROUND,
    ),
)


def found(about: str, error: BaseException) -> Finding:
    """Return the finding that an error of botocore's is."""
    what, remedy = in_words(error)
    return wrong(f"{about}: {what}", remedy, stops=True)


def in_words(error: BaseException) -> Words:
    """Return what an error of botocore's says, and what to do."""
    if isinstance(error, ClientError):
        return _answered(error)
    for types, what, remedy in _OF_TYPES:
        if isinstance(error, types):
            return what.format(error=_plain(error)), remedy
    return _plain(error), "mend that and run it again"


def unless_missing(call: Callable[..., Any], *codes: str, **parameters: object) -> Any:
    """Return the answer to a call; None where AWS answers that there is no such thing.

    It says so by one of `codes`, or of those of most services.
    """
    try:
        return call(**parameters)
    except ClientError as error:
        if code_of(error) in {*MISSING, *codes}:
            return None
        raise


def code_of(error: ClientError) -> str:
    """Return AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", "no code"))


def _answered(error: ClientError) -> Words:
    code = code_of(error)
    if code in DENIED:
        return _denied(error)
    for codes, what, remedy in _OF_CODES:
        if code in codes:
            return what.format(code=code), remedy
    return _other(error)


def _denied(error: ClientError) -> Words:
    """Name the action, which not every service does."""
    named = _ACTION.search(_message(error))
    action = named[1] if named else error.operation_name
    return (
        f"not allowed: {action}",
        f"allow {action}, or attach the policy of the stack's output OperatorPolicyArn",
    )


def _other(error: ClientError) -> Words:
    request = error.response.get("ResponseMetadata", {}).get("RequestId", "unknown")
    return (
        f"{error.operation_name} answered {code_of(error)}: {_message(error)}",
        f"run it again; if it stays, ask AWS about request {request}",
    )


def _message(error: ClientError) -> str:
    return " ".join(str(error.response.get("Error", {}).get("Message", "")).split())


def _plain(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
