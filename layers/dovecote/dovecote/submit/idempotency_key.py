"""The Idempotency-Key header: a structured-field string (RFC 9651), or a bare key.

API Gateway joins the values of a repeated header with commas. So a bare key has no comma.
"""

import re

from dovecote.core.problems import Malformed

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
"""RFC 9651, sections 3.1.2 and 3.3.3: a string, and parameters, which mean nothing here."""


def read(header: str | None) -> str | None:
    """Return the key that a header names, or None without one; raise Malformed.

    A value that does not begin with a quotation mark is the key as it stands.
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
