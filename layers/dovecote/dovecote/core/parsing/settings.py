"""Read settings by their names into a struct, or raise a reason that names the setting.

An empty text is unset. The fields of a struct of settings are the names in lower case.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec

Shape = TypeVar("Shape", bound=msgspec.Struct)
Value = TypeVar("Value")

_IN_FILE = "in settings.yaml"
InFile = Annotated[Value, _IN_FILE]
"""A setting that settings.yaml of the catalog may set, and the environment over it."""

Mailbox = Annotated[
    str,
    msgspec.Meta(pattern=r"^([^<>@,\x00-\x1f]*<[^<>@,\s]+@[^<>@,\s]+>|[^<>@,\s]+@[^<>@,\s]+)\Z"),
]
"""An address with or without a name. A full validator would slow each start."""


class BadSettings(Exception):
    """A setting is missing or not valid; the message names it."""


def names(shape: type[msgspec.Struct]) -> set[str]:
    """Return the names of the settings of a struct."""
    return {field.encode_name for field in msgspec.structs.fields(shape)}


def in_file(shape: type[msgspec.Struct]) -> Iterator[str]:
    """Yield the names of the settings that settings.yaml may set."""
    hints = get_type_hints(shape, include_extras=True)
    for field in msgspec.structs.fields(shape):
        if _IN_FILE in getattr(hints[field.name], "__metadata__", ()):
            yield field.encode_name


def read(given: Mapping[str, Any], shape: type[Shape]) -> Shape:
    """Return the settings of a struct, of those that are given; raise BadSettings."""
    known = names(shape)
    named = {name: value for name, value in given.items() if name in known and value != ""}
    try:
        return msgspec.convert(named, shape, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(_in_words(error)) from None


def listed(text: str) -> tuple[str, ...]:
    """Return the parts of a text between its commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


_WORDS = {
    "Expected": "must be",
    "got": "not",
    "`int`": "an integer",
    "`float`": "a number",
    "`str`": "text",
    "`bool`": "true or false",
    "`null`": "nothing",
    "`array`": "a list",
    "`object`": "a mapping",
}


def _in_words(error: msgspec.ValidationError) -> str:
    """Turn "Expected `int` … - at `$.NAME`" around, so that the name comes first."""
    what, _, where = str(error).rpartition(" - at `$.")
    words = (_WORDS.get(word, word) for word in re.split(r"(`\w+`|\w+)", what))
    return f"{where.rstrip('`')}: {''.join(words)}"
