"""Payload values as templates see them: JSON, with members and without methods of Python.

Each value knows its path, so that an error can name it. A path holds names that a template wrote,
and positions in lists; the names of other members could be personal data.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, Undefined, UndefinedError

from dovecote.catalog.templates import decimals
from dovecote.catalog.templates.decimals import Number
from dovecote.catalog.templates.json_writer import JsonWriter

_JSON = JsonWriter()


class Missing(StrictUndefined):
    """A variable, member or item that does not exist; any use but `default` and a test raises."""

    __slots__ = ()


class Null(StrictUndefined):
    """A null: as a variable that does not exist, but it is false, and equals none."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return f"{self._undefined_name!r} is null"

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        """Compare with none; raise UndefinedError for all else."""
        return is_null(other) or bool(self._fail_with_undefined_error())

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = StrictUndefined.__hash__  # type: ignore[assignment]


class Object(Mapping[str, Any]):
    """An object: its members by name."""

    __slots__ = ("_members", "path")

    def __init__(self, members: Mapping[str, Any], path: str) -> None:
        self._members = members
        self.path = path

    def member(self, name: str) -> Any:
        """Return the member that a template names."""
        path = f"{self.path}.{name}"
        if name not in self._members:
            return Missing(name=path)
        return value_of(self._members[name], path)

    def __getitem__(self, name: str) -> Any:
        return value_of(self._members[name], f"{self.path}[*]")

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and plain(self) == plain(other)

    __hash__ = None  # type: ignore[assignment]


class Array(Sequence[Any]):
    """A list: its items by position."""

    __slots__ = ("_items", "path")

    def __init__(self, items: Sequence[Any], path: str) -> None:
        self._items = items
        self.path = path

    def __iter__(self) -> Iterator[Any]:
        for index, item in enumerate(self._items):
            kind = type(item)
            if kind is int:
                yield decimals.whole_number(item)
            elif kind is str:
                yield item
            else:
                yield value_of(item, f"{self.path}[{index}]")

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[index] for index in range(len(self))[position]]
        index = range(len(self))[position]
        return value_of(self._items[index], f"{self.path}[{index}]")

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, value: object) -> bool:
        return any(plain(one) == plain(value) for one in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array | list | tuple) and plain(self) == plain(other)

    __hash__ = None  # type: ignore[assignment]


def value_of(value: Any, path: str) -> Any:
    """Return a value of a payload as a template sees it."""
    if isinstance(value, (str, bool)):
        return value
    if value is None:
        return Null(name=path)
    if type(value) is int:
        return decimals.whole_number(value)
    if isinstance(value, dict):
        return Object(value, path)
    if isinstance(value, list):
        return Array(value, path)
    return decimals.number(value) if decimals.is_number(value) else value


def is_null(value: object) -> bool:
    """Return whether a value is null, or the template's own none."""
    return value is None or isinstance(value, Null)


def plain(value: Any) -> Any:
    """Return a value without its paths; raise UndefinedError for what does not exist."""
    if is_null(value):
        return None
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(item) for item in value]
    return decimals.number(value) if decimals.is_number(value) else value


def text(value: Any) -> str:
    """Return a value as it is printed, a list or an object as JSON.

    Raises CannotPrint, OutOfRange, or UndefinedError for null and what does not exist.
    """
    if type(value) is Number:
        return Number.__str__(value)
    if isinstance(value, str):
        return value
    if value is None:
        raise UndefinedError("'none' is null")
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, Object | Array | dict | list | tuple):
        return _JSON.text(plain(value))
    return _JSON.text(value)
