"""Small JSON bodies to structs, or a problem."""

from typing import TypeVar

import msgspec

from dovecote.core.parsing import strict_json
from dovecote.core.problems import Fault, Invalid, Malformed, TooLarge, in_words

MAX_BYTES = 32 * 1024
"""A device token of 4,096 bytes fits, even with each character escaped as six."""

Body = TypeVar("Body", bound=msgspec.Struct)


def read(body: bytes, shape: type[Body], refused: str) -> Body:
    """Read a body; raise TooLarge, Malformed, or Invalid with `refused` and what is at fault."""
    if len(body) > MAX_BYTES:
        raise TooLarge("The body is larger than 32 KiB.")
    raw = strict_json.read(body)
    if not isinstance(raw, dict):
        raise Malformed("The body is not a JSON object.")
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        where = str(error).partition(" - at `$.")[2]
        pointer = f"/{where.rstrip('`').replace('.', '/')}" if where else ""
        raise Invalid(refused, [Fault(pointer, in_words(error))]) from None
