"""What a channel adds to the catalog: keys of an entry in kinds.yaml, and template files."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Self

import msgspec


class Section(msgspec.Struct, frozen=True):
    """The keys of one channel in a kind's entry.

    `files` are the template files that the channel needs in each folder of a kind. A file with a
    struct is a JSON object of templates by the struct's fields.
    """

    files: ClassVar[Mapping[str, type[msgspec.Struct] | None]]

    def checked(self) -> Self:
        """Return this section, normalised; raise BadCatalog or BadAddress."""
        return self

    def lines(self) -> Iterable[tuple[str, str]]:
        """Return the templates that stand in the entry, each with its key."""
        return ()


Sections = Mapping[str, type[Section]]
"""The section of each channel, by the channel's name."""


def divided(entry: Any, sections: Sections) -> tuple[Any, Mapping[str, Mapping[str, Any]]]:
    """Divide an entry into the keys of every kind, and those of each channel.

    An entry that is not a mapping is returned as it is.
    """
    if not isinstance(entry, dict):
        return entry, {}
    keys = {channel: _keys(section) for channel, section in sections.items()}
    of_channels = {
        channel: {key: value for key, value in entry.items() if key in known}
        for channel, known in keys.items()
    }
    of_all = frozenset[str]().union(*keys.values())
    return {key: value for key, value in entry.items() if key not in of_all}, of_channels


@cache
def _keys(section: type[Section]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(section))
