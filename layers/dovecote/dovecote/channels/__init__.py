"""The registry of channels: one folder in this package and one line here for each.

This module loads nothing of a channel. `get` imports the package of one channel, which in turn
loads each of its parts when that part is first used.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dovecote.catalog.sections import Section
    from dovecote.channels.definition import ChannelDefinition

NUMBERS: Mapping[str, int] = {
    "email": 0,
    "push": 1,
}
"""Each channel's number, which is part of the lanes of stored routes: never reuse one."""

NAMES: Sequence[str] = tuple(NUMBERS)


def get(name: str) -> "ChannelDefinition[Any]":
    """Return what a channel's folder brings."""
    definition: ChannelDefinition[Any] = import_module(f"{__name__}.{name}").CHANNEL
    return definition


def sections() -> Mapping[str, "type[Section]"]:
    """Return what each channel adds to the catalog, as kinds.load takes it."""
    return {name: channel.section() for name, channel in every().items()}


def every() -> Mapping[str, "ChannelDefinition[Any]"]:
    """Return what the folder of each channel brings, in the order of the registry."""
    return {name: get(name) for name in NAMES}
