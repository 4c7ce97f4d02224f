"""The operator's tools for each channel: one folder per channel, found by its registered name.

A folder may have `checks` (the doctor's) and `preview` (the console's); a channel needs neither.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from dovecote import channels


def parts(name: str) -> Iterator[ModuleType]:
    """Yield the modules of this name, in the order of the registry."""
    for channel in channels.NAMES:
        if (module := part(channel, name)) is not None:
            yield module


def part(channel: str, name: str) -> ModuleType | None:
    """Return a channel's module of this name; None where it has none or is not registered."""
    folder = f"{__name__}.{channel}"
    if channel not in channels.NAMES or find_spec(folder) is None:
        return None
    return import_module(f"{folder}.{name}") if find_spec(f"{folder}.{name}") else None
