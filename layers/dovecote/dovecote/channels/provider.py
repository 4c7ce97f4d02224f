"""The border to SES and SNS: botocore's errors become outcomes here and nowhere else."""

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.model import Claim, Failed, Outcome, Permanent
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
        "ValidationException",
    }
)
"""Codes after which the same message would be refused again."""


def refused(error: ClientError | BotoCoreError, claim: Claim) -> Outcome:
    """Return the outcome of a call that raised: code and status first, then its cleaned words."""
    if not isinstance(error, ClientError):
        return Failed(error=scrubbed(f"{type(error).__name__}: {error}", claim))
    code = error.response.get("Error", {}).get("Code", "Unknown")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    words = error.response.get("Error", {}).get("Message", "")
    text = scrubbed(f"{code} ({status}): {words}", claim)
    return Permanent(error=text) if code in PERMANENT else Failed(error=text)
