"""The registry of channels: one folder in this package and one line here for each.

This module loads nothing of a channel. `get` imports the package of one channel, whose definition
in turn imports each module of the folder when that part is first used: a cold start loads only the
parts that it uses.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from dovecote.catalog.kinds import Catalog
    from dovecote.catalog.rendering import Renderer
    from dovecote.catalog.sections import Section
    from dovecote.channels.base import AnyChannel, ChannelSettings, Tools
    from dovecote.channels.endpoints import Endpoints
    from dovecote.channels.planning import Planner
    from dovecote.channels.provider_errors import Rule
    from dovecote.core.feedback import ProviderEvent

NUMBERS: Mapping[str, int] = {
    "email": 0,
    "push": 1,
}
"""Each channel's number, which is part of the lanes of stored routes: never reuse one."""

NAMES: Sequence[str] = tuple(NUMBERS)


class ChannelDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder of a channel brings, by the names of its modules and classes.

    `name` is the channel's name in kinds.yaml, in the database and in the registry.
    `address_field` is the field of a recipient that the channel needs to reach the recipient.
    `normalise` returns an address as it is stored, or raises BadAddress. `folder` is the package.
    """

    folder: str
    name: str
    address_field: str
    normalise: Callable[[str], str]
    has_endpoints: bool = False

    def _part(self, module: str, name: str) -> Any:
        return getattr(import_module(f"{self.folder}.{module}"), name)

    def settings(self) -> type[Any]:
        """Return the type of the channel's settings, which are ChannelSettings."""
        return cast(type[Any], self._part("settings", "SETTINGS"))

    def section(self) -> "type[Section]":
        """Return the type of the channel's keys in a kind's entry, with its template files."""
        return cast("type[Section]", self._part("kind", "SECTION"))

    def check_catalog(self, settings: "ChannelSettings", catalog: "Catalog") -> None:
        """Raise BadSettings where a kind of the catalog needs a setting that is not set."""
        self._part("kind", "check_catalog")(settings, catalog)

    def planner(
        self, settings: "ChannelSettings", renderer: "Renderer", new_id: Callable[[], UUID]
    ) -> "Planner":
        """Return what plans the channel's routes."""
        return cast("Planner", self._part("planning", "planner")(settings, renderer, new_id))

    def sender(self, settings: "ChannelSettings", tools: "Tools") -> "AnyChannel":
        """Return what sends the channel's messages."""
        return cast("AnyChannel", self._part("channel", "sender")(settings, tools))

    def errors(self) -> "Sequence[Rule]":
        """Return what the errors of the channel's provider mean; the first match decides."""
        return cast("Sequence[Rule]", self._part("errors", "RULES"))

    def events(self, text: str) -> "Sequence[ProviderEvent]":
        """Return what a document of the provider reports; raise BadEvent for another document."""
        return cast("Sequence[ProviderEvent]", self._part("events", "read")(text))

    def endpoints(self, settings: "ChannelSettings", client: Callable[[str], Any]) -> "Endpoints":
        """Return the provider's endpoints of devices, where the channel has some."""
        return cast("Endpoints", self._part("endpoints", "endpoints")(settings, client))


def get(name: str) -> ChannelDefinition:
    """Return what a channel's folder brings."""
    return cast(ChannelDefinition, import_module(f"{__name__}.{name}").CHANNEL)


def sections() -> Mapping[str, "type[Section]"]:
    """Return what each channel adds to the catalog, as kinds.load takes it."""
    return {name: channel.section() for name, channel in every().items()}


def every() -> Mapping[str, ChannelDefinition]:
    """Return what the folder of each channel brings, in the order of the registry."""
    return {name: get(name) for name in NAMES}
