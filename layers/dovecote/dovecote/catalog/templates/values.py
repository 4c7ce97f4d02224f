"""Payload values as templates see them: JSON, with members and without methods of Python.

Each value knows its path, so that an error can name it. A path holds names that a template wrote,
and positions in lists; the names of other members could be personal data.
"""

import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from jinja2 import StrictUndefined, Undefined, UndefinedError

from dovecote.catalog.templates import decimals
from dovecote.catalog.templates.decimals import Number


class CannotPrint(Exception):
    """A value has no text; the message holds no value."""


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


class _Container:
    """An object or a list, with its path."""

    __slots__ = ("_value", "path")

    def __init__(self, value: Any, path: str) -> None:
        self._value = value
        self.path = path

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping | Array | list | tuple) and plain(self) == plain(other)

    __hash__ = None  # type: ignore[assignment]


class Object(_Container, Mapping[str, Any]):
    """An object: its members by name."""

    __slots__ = ()

    def member(self, name: str) -> Any:
        """Return the member that a template names."""
        path = f"{self.path}.{name}"
        if name not in self._value:
            return Missing(name=path)
        return value_of(self._value[name], path)

    def __getitem__(self, name: str) -> Any:
        return value_of(self._value[name], f"{self.path}[*]")

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)


class Array(_Container, Sequence[Any]):
    """A list: its items by position."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        for index, item in enumerate(self._value):
            simple = _SIMPLE.get(type(item))
            yield simple(item) if simple else value_of(item, f"{self.path}[{index}]")

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[index] for index in range(len(self))[position]]
        index = range(len(self))[position]
        return value_of(self._value[index], f"{self.path}[{index}]")

    def __contains__(self, value: object) -> bool:
        return plain(value) in plain(self)


_SIMPLE: Mapping[type, Callable[[Any], Any]] = {
    bool: bool,
    int: decimals.whole_number,
    str: str,
}
"""What makes a value that needs no path, by its type."""


def value_of(value: Any, path: str) -> Any:
    """Return a value of a payload as a template sees it."""
    simple = _SIMPLE.get(type(value))
    if simple is not None:
        return simple(value)
    if value is None:
        return Null(name=path)
    if isinstance(value, dict):
        return Object(value, path)
    if isinstance(value, list):
        return Array(value, path)
    return decimals.number(value) if decimals.is_number(value) else value


def is_null(value: object) -> bool:
    """Return whether a value is null, or the template's own none."""
    return value is None or isinstance(value, Null)


def require(value: Any) -> None:
    """Raise UndefinedError for what does not exist."""
    if isinstance(value, Undefined):
        str(value)


def number_of(value: Any) -> Number:
    """Return a number; raise TypeError, or UndefinedError with the name of what does not exist."""
    require(value)
    if not decimals.is_number(value):
        raise TypeError("a number is needed")
    return decimals.number(value)


def plain(value: Any) -> Any:
    """Return a value without its paths; raise UndefinedError for what does not exist."""
    if is_null(value):
        return None
    require(value)
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(item) for item in value]
    return decimals.number(value) if decimals.is_number(value) else value


def text(value: Any) -> str:
    """Return a value as it is printed, a list or an object as JSON.

    Raises CannotPrint, OutOfRange, or UndefinedError for null and what does not exist.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (Number, Undefined)):
        return str(value)
    if value is None:
        raise UndefinedError("'none' is null")
    is_container = isinstance(value, Object | Array | dict | list | tuple)
    return _json(plain(value) if is_container else value)


def json_text(value: Any, *, indent: Any = 0, sort_keys: bool = True) -> str:
    """Return a value as JSON for tojson: in ASCII, numbers in plain digits."""
    written = _json(plain(value), indent=operator.index(indent), sort_keys=sort_keys)
    return "".join(one if one.isascii() else json.dumps(one)[1:-1] for one in written)


def _json(value: Any, *, indent: int = 0, sort_keys: bool = False) -> str:
    """Return JSON: on one line, or with so many spaces of indentation."""
    written = (_SORTED if sort_keys else _JSON).encode(value)
    return msgspec.json.format(written, indent=indent).decode()


def _encoded(value: Any) -> Any:
    """Return what JSON has for a value that msgspec does not know."""
    if isinstance(value, Number):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, str):  # Markup
        return str(value)
    raise CannotPrint("a value cannot be printed: it is not a value of JSON")


_JSON = msgspec.json.Encoder(enc_hook=_encoded)
_SORTED = msgspec.json.Encoder(enc_hook=_encoded, order="sorted")
