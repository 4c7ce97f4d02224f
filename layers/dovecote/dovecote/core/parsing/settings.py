"""Read settings: variables of the environment to a struct, or a reason that names the variable.

A name that is empty is unset. The fields of a struct of settings are the variables in lower case.
"""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec

Shape = TypeVar("Shape", bound=msgspec.Struct)

Mailbox = Annotated[
    str,
    msgspec.Meta(pattern=r"^([^<>@,\x00-\x1f]*<[^<>@,\s]+@[^<>@,\s]+>|[^<>@,\s]+@[^<>@,\s]+)\Z"),
]
"""An address with or without a name. A full validator would slow each start."""


class BadSettings(Exception):
    """A setting is missing or not valid; the message names its variable."""


def read(environment: Mapping[str, str], shape: type[Shape]) -> Shape:
    """Return the settings that an environment has for a struct; raise BadSettings."""
    known = {field.encode_name for field in msgspec.structs.fields(shape)}
    named = {name: value for name, value in environment.items() if name in known and value}
    try:
        return msgspec.convert(named, shape, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(_in_words(error)) from None


def listed(text: str) -> tuple[str, ...]:
    """Return the parts of a text between its commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _in_words(error: msgspec.ValidationError) -> str:
    """Turn "Expected `int` … - at `$.NAME`" around, so that the name comes first."""
    what, _, where = str(error).rpartition(" - at `$.")
    return f"{where.rstrip('`')}: {what[:1].lower()}{what[1:]}"
