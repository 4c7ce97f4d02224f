"""Small JSON bodies to structs, or a problem."""

from typing import TypeVar

import msgspec

from dovecote import strict_json
from dovecote.problems import Fault, Invalid, Malformed, TooLarge

MAX_BYTES = 16 * 1024

Body = TypeVar("Body", bound=msgspec.Struct)


def read(body: bytes, shape: type[Body], refused: str) -> Body:
    """Read a body; raise TooLarge, Malformed, or Invalid with `refused` and what is at fault."""
    if len(body) > MAX_BYTES:
        raise TooLarge("The body is larger than 16 KiB.")
    raw = strict_json.read(body)
    if not isinstance(raw, dict):
        raise Malformed("The body is not a JSON object.")
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        pointer = f"/{where.rstrip('`').replace('.', '/')}" if where else ""
        raise Invalid(refused, [Fault(pointer, what)]) from None
