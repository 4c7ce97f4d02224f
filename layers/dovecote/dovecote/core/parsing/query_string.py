"""The query string of a URL, decoded once and without a guess."""

import re
from urllib.parse import unquote_to_bytes

from dovecote.core.problems import Fault, Invalid, Malformed

_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parse(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query string in their order; raise Malformed.

    Written as HTML forms are: `+` is a space, and a plus sign is %2B. What has two readings is
    refused, so that no call acts on another id than the caller meant.
    """
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(_decoded(name), _decoded(value)) for name, _, value in parts]


def expect_none(query: str) -> None:
    """Raise Invalid where a call without parameters is given one, else it would be ignored."""
    if given := dict(parse(query)):
        faults = [Fault("", f"{name}: is not a parameter of this call") for name in given]
        raise Invalid("The call takes no parameters.", faults)


def _decoded(text: str) -> str:
    if _LONE_PERCENT.search(text):
        raise Malformed(
            "The query string has a % without two hexadecimal digits: write a percent sign as %25."
        )
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeError:
        raise Malformed("The query string is not percent-encoded UTF-8.") from None
