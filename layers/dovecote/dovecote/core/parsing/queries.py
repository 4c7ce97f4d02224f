"""Read the parameters of a query string as values, or raise the faults of all of them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from dovecote.core.parsing import addresses, query_string
from dovecote.core.parsing.addresses import BadAddress
from dovecote.core.parsing.identifiers import Instant, in_range, is_identifier
from dovecote.core.problems import Fault, Invalid

MOST = 100
USUAL = 50
"""The maximum and the default number of items on a page."""

Item = TypeVar("Item")
Reader = Callable[[str], Any]


class BadValue(ValueError):
    """A parameter has an invalid value; the message repeats nothing of it."""


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """Items, and the place after which the next page begins, or None on the last page."""

    items: Sequence[Item]
    next: str | None


def read(
    query: str, readers: Mapping[str, Reader], refused: str, *, required: Collection[str] = ()
) -> dict[str, Any]:
    """Return the values of the parameters of a query string, by name.

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
    """Return the first `limit` items; `found` has one more if there is a next page."""
    items = found[:limit]
    more = len(found) > limit
    return Page(items=items, next=str(place(items[-1])) if more else None)


def limit(text: str) -> int:
    """Read the number of items on a page."""
    if not (len(text) <= 3 and text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST):
        raise BadValue(f"must be an integer from 1 to {MOST}")
    return int(text)


def uuid(text: str) -> UUID:
    """Read an id that Dovecote made."""
    try:
        return UUID(text)
    except ValueError:
        raise BadValue("must be a UUID") from None


def identifier(text: str) -> str:
    """Read an id that the producer made."""
    if not (is_identifier(text) and _is_storable(text)):
        raise BadValue("must be 1 to 255 characters, not blank, without control characters")
    return text


def text(text: str) -> str:
    """Read a key or a name."""
    if not (1 <= len(text) <= 255 and _is_storable(text)):
        raise BadValue("must be 1 to 255 characters without NUL")
    return text


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
        time = msgspec.convert(text, Instant)
    except msgspec.ValidationError:
        raise BadValue("must be a time with an offset (RFC 3339), with + written as %2B") from None
    if not in_range(time):
        raise BadValue("is out of range")
    return time


def one_of(words: Iterable[str]) -> Reader:
    """Return a reader that takes one of these words."""
    known = tuple(words)

    def read_word(text: str) -> str:
        if text not in known:
            raise BadValue(f"must be one of: {', '.join(known)}")
        return text

    return read_word


def _is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store a text: it has neither NUL nor a lone surrogate."""
    return "\0" not in text and text.encode("utf-8", "replace").decode() == text
