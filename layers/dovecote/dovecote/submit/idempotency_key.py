"""The idempotency key, from the body or from the Idempotency-Key header.

The header is a structured-field string (RFC 9651), or a bare key.

API Gateway joins the values of a repeated header with commas. So a bare key has no comma.
"""

import re
from typing import Any

from dovecote.core.parsing import strict_json
from dovecote.core.parsing.identifiers import CONTROLS
from dovecote.core.problems import Fault, Invalid, Malformed

MAX_CHARACTERS = 255

_BARE_ITEM = (
    r'(?:"(?:[ !#-\[\]-~]|\\["\\])*"'  # a string
    r"|-?[0-9]{1,15}|-?[0-9]{1,12}\.[0-9]{1,3}"
    r"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*"  # a token
    r"|:[A-Za-z0-9+/=]*:|\?[01]|@-?[0-9]{1,15}"  # bytes, a boolean, a date
    r'|%"(?:[ !#$&-~]|%[0-9a-f]{2})*")'  # a display string
)
_STRING = re.compile(
    rf'"((?:[ !#-\[\]-~]|\\["\\])*)"(?:; *[a-z*][a-z0-9_\-.*]*(?:={_BARE_ITEM})?)*'
)
"""RFC 9651, sections 3.1.2 and 3.3.3: a string, with parameters, which are ignored."""


def choose(member: Any, header: str | None) -> str:
    """Return the key of a request: the body's member or the header; raise Malformed or Invalid."""
    header = read(header)
    if member and header and member != header:
        raise Malformed("The Idempotency-Key header and idempotency_key name different keys.")
    key = member or header
    if not key:
        raise Malformed(
            "An idempotency key is required: send the Idempotency-Key header, or idempotency_key in"
            " the body."
        )
    if isinstance(key, str):  # another type is a fault of the body's own
        _check(key)
    return str(key)


def _check(key: str) -> None:
    strict_json.inspect(key)
    if len(key) > MAX_CHARACTERS:
        detail = f"is longer than {MAX_CHARACTERS} characters"
    elif re.search(f"[{CONTROLS}]", key):
        detail = "must not contain control characters"
    else:
        return
    raise Invalid("The idempotency key is invalid.", [Fault("/idempotency_key", detail)])


def read(header: str | None) -> str | None:
    """Return the key that a header names, or None without one; raise Malformed.

    A value without an opening quotation mark is the key itself.
    """
    value = (header or "").strip(" \t")
    if not value.startswith('"'):
        return _bare(value)
    found = _STRING.fullmatch(value)
    if found is None:
        raise Malformed(
            "The Idempotency-Key header is not one string of RFC 9651; send the header once, as"
            ' "key" with \\" for a quotation mark and \\\\ for a backslash.'
        )
    return re.sub(r'\\(["\\])', r"\1", found.group(1))


def _bare(value: str) -> str | None:
    if "," in value:
        raise Malformed(
            "The Idempotency-Key header was sent more than once, or its key has a comma: send it"
            " once, and put a key with a comma in quotation marks."
        )
    return value or None
