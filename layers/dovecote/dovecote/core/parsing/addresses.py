"""Email addresses: one addr-spec that SES takes, or a reason why not."""

import re
from email.utils import formataddr, parseaddr

NOT_ONE = "is not a single email address that can be mailed"

_PLAIN = re.compile(
    r"(?=.{1,64}@)[a-z0-9]+(?:[._+-][a-z0-9]+)*"
    r"@(?=.{4,180}\Z)(?:[a-z0-9]{1,30}(?:-[a-z0-9]{1,30})?\.)+"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)\Z)[a-z]{2,30}\Z"
)
"""Addresses that email-validator returns as they are, and most are: it need not be loaded."""


class BadAddress(ValueError):
    """Not a single address that can be mailed; the message repeats nothing of it."""


def normalised(address: str) -> str:
    """Return an address as it is mailed, its domain in lower-case ASCII; raise BadAddress.

    The sizes are RFC 5321's. SES takes no local part beyond ASCII, and a display name or a line
    break would be somebody else's header.
    """
    if _PLAIN.match(address):
        return address
    # Not at the top: four times the cost of starting Python, and few addresses need it.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        valid = validate_email(
            address, allow_smtputf8=False, check_deliverability=False, strict=True
        )
    except EmailNotValidError:
        raise BadAddress(NOT_ONE) from None
    return str(valid.ascii_email)


def mailbox(text: str) -> str:
    """Return "Name <address>" as SES takes it, its name in RFC 2047 words; raise BadAddress."""
    name, address = parseaddr(text)
    # parseaddr stops after the first address; what follows would be lost without a word.
    if not text.isprintable() or not text.strip().endswith((f"<{address}>", address)):
        raise BadAddress(NOT_ONE)
    return formataddr((name, normalised(address)))


def encoded(text: str) -> str:
    """Return a mailbox that was checked before with its name in RFC 2047 words."""
    return formataddr(parseaddr(text))
