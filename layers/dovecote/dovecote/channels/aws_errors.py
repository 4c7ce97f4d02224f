"""The border to SES and SNS: only this module turns their answers into outcomes.

The channel's table (errors.py) has what each error means. Of the provider's message only the fixed
text of a row is kept; of an error of botocore's, its type.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from dovecote import channels
from dovecote.channels.provider_errors import Meaning, by_status, code_of, rule_of
from dovecote.core.claim import Claim
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    Outcome,
    Permanent,
    Throttled,
    Unavailable,
)
from dovecote.core.route import Target

ACCEPTED = "SUCCESS"
"""The status of an entry of a bulk call that SES took."""

MAX_WORDS = 2_000
"""How much of a provider's message is read: the known texts are far shorter."""

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


def refused(
    error: ClientError | BotoCoreError, claims: Sequence[Claim], resource: str, *, sender: str = ""
) -> Refused:
    """Return the outcome of a call that raised and was for all of these claims.

    `resource` is the identity, application or topic that it went through; its account is the
    claims' channel. `sender` is the mailbox that an email is from.
    """
    if not isinstance(error, ClientError):
        return _unanswered(error, claims[0])
    answer = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code, words = code_of(answer.get("Code")), str(answer.get("Message") or "")[:MAX_WORDS]
    meaning, text = _read(code, words, by_status(status), sender, claims)
    return _outcome(meaning, _error(f"{code} ({status})", text), claims[0], resource)


def entry_outcome(
    entry: Mapping[str, Any], claim: Claim, resource: str, *, sender: str = ""
) -> Outcome:
    """Return the outcome of one entry of a bulk call, by its status as by the code of an error.

    A status that is new is a plain failure; an acceptance without an id is ambiguous.
    """
    status, message_id = code_of(entry.get("Status")), entry.get("MessageId")
    if status == ACCEPTED:
        return Delivered(message_id=message_id) if message_id else Ambiguous(error=status)
    words = str(entry.get("Error") or "")[:MAX_WORDS]
    meaning, text = _read(status, words, Meaning.RETRY, sender, [claim])
    return _outcome(meaning, _error(status, text), claim, resource)


def _read(
    code: str, words: str, otherwise: Meaning, sender: str, claims: Sequence[Claim]
) -> tuple[Meaning, str]:
    """Return what an error means, and the text of it that is kept."""
    rule = rule_of(channels.get(claims[0].channel).errors(), code, words)
    if rule is None:
        return otherwise, ""
    if rule.meaning is not Meaning.IDENTITIES:
        return rule.meaning, rule.text
    # Not at the top: only the table of email has this meaning, and email may not be there.
    from dovecote.channels.email.identities import only_recipients_failed  # noqa: PLC0415

    recipients = [claim.address or "" for claim in claims]
    if only_recipients_failed(words, sender, recipients):
        return Meaning.MESSAGE, f"{rule.text}: the recipient's, in the SES sandbox"
    return Meaning.RESOURCE, f"{rule.text}: the sender's"


def _error(code: str, text: str) -> str:
    return f"{code}: {text}" if text else code


def _outcome(meaning: Meaning, error: str, claim: Claim, resource: str) -> Refused:
    device = meaning is Meaning.TARGET and claim.target == Target.DEVICE
    if meaning is Meaning.MESSAGE or device:
        return Permanent(error=error, dead_endpoint=claim.endpoint if device else None)
    match meaning:
        case Meaning.THROTTLED:
            return Throttled(resource=claim.channel, error=error)
        case Meaning.ACCOUNT:
            return Unavailable(resource=claim.channel, error=error)
        case Meaning.RESOURCE | Meaning.TARGET:
            return Unavailable(resource=resource, error=error)
        case Meaning.UNKNOWN:
            return Ambiguous(error=error)
    return Failed(error=error)


def _unanswered(error: BotoCoreError, claim: Claim) -> Refused:
    text = type(error).__name__
    if isinstance(error, NOT_SENT):
        return Failed(error=text, unreached=True)
    if isinstance(error, NO_CREDENTIALS):
        return Unavailable(resource=claim.channel, error=text)
    if isinstance(error, exceptions.ParamValidationError):
        return Permanent(error=text, asked=False)
    return Ambiguous(error=text) if isinstance(error, LOST) else Failed(error=text, asked=False)
