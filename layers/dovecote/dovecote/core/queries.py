"""The parameters of a query string to values, or a problem that names those at fault."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from dovecote.core import addresses, query_string
from dovecote.core.addresses import BadAddress
from dovecote.core.identifiers import Instant, in_range, is_identifier
from dovecote.core.problems import Fault, Invalid

MOST = 100
USUAL = 50
"""How many things are on a page, at most and where the caller names no number."""

Item = TypeVar("Item")
Reader = Callable[[str], Any]


class BadValue(ValueError):
    """A parameter says what cannot be taken; the message says why and repeats nothing of it."""


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """Some of many things, and the place that the next page begins after; None on the last."""

    items: Sequence[Item]
    next: str | None


def read(
    query: str, readers: Mapping[str, Reader], refused: str, *, required: Collection[str] = ()
) -> dict[str, Any]:
    """Return what the parameters of a query string say, by name.

    Raises Malformed, or Invalid with `refused` and every parameter that is unknown, repeated,
    missing or cannot be read.
    """
    given = query_string.parse(query)
    counts = Counter(name for name, _ in given)
    faults = [
        *(f"{name}: is not a parameter of this call" for name in counts if name not in readers),
        *(f"{name}: is given more than once" for name in counts if counts[name] > 1),
        *(f"{name}: is missing" for name in required if name not in counts),
    ]
    values: dict[str, Any] = {}
    for name, value in given:
        try:
            values |= {name: readers[name](value)} if name in readers else {}
        except BadValue as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise Invalid(refused, [Fault("", fault) for fault in faults])
    return values


def page(found: Sequence[Item], limit: int, place: Callable[[Item], object]) -> Page[Item]:
    """Return the first `limit` of what was found, of which one more was asked for."""
    items = found[:limit]
    more = len(found) > limit
    return Page(items=items, next=str(place(items[-1])) if more else None)


def limit(text: str) -> int:
    """Read how many things there are to be on a page."""
    if not (len(text) <= 3 and text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST):
        raise BadValue(f"is not a number from 1 to {MOST}")
    return int(text)


def uuid(text: str) -> UUID:
    """Read an id of Dovecote's."""
    try:
        return UUID(text)
    except ValueError:
        raise BadValue("is no id") from None


def identifier(text: str) -> str:
    """Read an id of the producer's."""
    if not (is_identifier(text) and _is_storable(text)):
        raise BadValue("must be 1 to 255 characters, not blank, without control characters")
    return text


def text(said: str) -> str:
    """Read a key or a name."""
    if not (1 <= len(said) <= 255 and _is_storable(said)):
        raise BadValue("is not 1 to 255 characters")
    return said


def email(text: str) -> str:
    """Read an address as submit does."""
    try:
        return addresses.normalised(text if _is_storable(text) else "")
    except BadAddress as error:
        raise BadValue(str(error)) from None


def flag(text: str) -> bool:
    """Read `true` or `false`."""
    if text not in ("true", "false"):
        raise BadValue("must be true or false")
    return text == "true"


def instant(text: str) -> datetime:
    """Read a time of RFC 3339."""
    try:
        said = msgspec.convert(text, Instant)
    except msgspec.ValidationError:
        raise BadValue("is not a time with its zone (RFC 3339), a + written as %2B") from None
    if not in_range(said):
        raise BadValue("is out of range")
    return said


def one_of(words: type[StrEnum]) -> Reader:
    """Return what reads a word of these."""

    def read_word(text: str) -> StrEnum:
        try:
            return words(text)
        except ValueError:
            raise BadValue(f"is none of {', '.join(words)}") from None

    return read_word


def _is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text: neither NUL nor a lone surrogate is in it."""
    return "\0" not in text and text.encode("utf-8", "replace").decode() == text
