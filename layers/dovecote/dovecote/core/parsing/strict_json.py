"""JSON that any two readers read alike, or Malformed.

Refused: what is not UTF-8, NaN and the infinities, a member that stands twice, a lone surrogate,
NUL, and what is nested deeper than anyone needs. Numbers keep the digits that were sent.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from dovecote.core.problems import Malformed

MAX_DEPTH = 64
MAX_EXPONENT = 400

_UNTYPED = msgspec.json.Encoder(decimal_format="number")
_SORTED = msgspec.json.Encoder(decimal_format="number", order="sorted")
_READER = msgspec.json.Decoder(float_hook=Decimal)


def read(body: bytes) -> Any:
    """Return what a body says: floats and long integers as Decimal; raise Malformed."""
    document = read_uninspected(body)
    inspect(document)
    return document


def read_uninspected(body: bytes) -> Any:
    """Return what a body says, of which each part is to be inspected before it is used.

    What two readers would not read alike is then the fault of the part that it is in. Raises
    Malformed where the body is not JSON at all.
    """
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise Malformed(
            f"The body is not JSON: {error.msg}, line {error.lineno} column {error.colno}."
        ) from None


def inspect(document: Any) -> None:
    """Refuse what cannot be stored, and what is nested too deeply; raise Malformed."""
    level, depth = [] if _is_plain(document) else [document], 0
    while level:
        if depth == MAX_DEPTH and any(isinstance(value, dict | list) for value in level):
            raise Malformed(f"The body is nested more than {MAX_DEPTH} levels deep.")
        level = [part for value in level for part in _parts(value)]
        depth += 1


def text(document: Any) -> str:
    """Return compact JSON; numbers with the digits that were sent."""
    return _UNTYPED.encode(document).decode()


def canonical(document: Any) -> bytes:
    """Return compact JSON whose members are in order, for a fingerprint."""
    return _SORTED.encode(document)


def reread(stored: str) -> Any:
    """Return what stored JSON says; it was read strictly when it came."""
    return _READER.decode(stored)


def plain(document: Any) -> Any:
    """Return a document with int and float for Decimal, as most who read JSON have numbers."""
    if isinstance(document, Decimal):
        return int(document) if document == document.to_integral_value() else float(document)
    if isinstance(document, dict):
        return {name: plain(member) for name, member in document.items()}
    if isinstance(document, list):
        return [plain(member) for member in document]
    return document


def _is_plain(document: Any) -> bool:
    """Return whether a document, as most, has no fault that a walk through it could find."""
    try:
        written = _UNTYPED.encode(document)
    except (RecursionError, TypeError, UnicodeEncodeError):
        return False
    return b"\\u0000" not in written and written.count(b"[") + written.count(b"{") <= MAX_DEPTH


# A part with a fault is a Malformed in its place, until `inspect` raises it.


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Malformed:
    members = dict(pairs)
    if len(members) != len(pairs):
        return Malformed("The body has an object with a member that stands twice.")
    return members


def _constant(name: str) -> Malformed:
    return Malformed(f"The body holds {name}, which is not JSON.")


def _number(digits: str) -> Decimal | Malformed:
    with suppress(ArithmeticError):
        number = Decimal(digits)
        if abs(number.adjusted()) <= MAX_EXPONENT:
            return number
    return Malformed("The body holds a number that is out of every range.")


def _integer(digits: str) -> int | Decimal | Malformed:
    """Read an integer; past 64 bits as Decimal, since conversion costs the square of its length."""
    return int(digits) if len(digits) < 19 else _number(digits)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Malformed):
        raise value
    if isinstance(value, str):
        _inspect_text(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            _inspect_text(name)
            yield member
    elif isinstance(value, list):
        yield from value


def _inspect_text(value: str) -> None:
    if "\x00" in value:
        raise Malformed("The body holds NUL, which PostgreSQL cannot store.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("The body holds half of a surrogate pair.") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_float=_number, parse_int=_integer
)
"""Kept, since making one costs as much as reading a small body."""
