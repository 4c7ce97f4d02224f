"""What the folder of a channel brings to the rest of Dovecote.

The package of a channel has an object `CHANNEL` that implements `ChannelDefinition`. Importing the
package loads nothing else: each method imports the module that it needs, so that a cold start loads
only the parts that it uses. channels/base.py has the interface of sending.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from dovecote.catalog.kinds import Catalog
    from dovecote.catalog.rendering import Renderer
    from dovecote.catalog.sections import Section
    from dovecote.channels.base import AnyChannel
    from dovecote.channels.endpoints import Endpoints
    from dovecote.channels.planning import Planner
    from dovecote.channels.provider_errors import Rule
    from dovecote.core.feedback import ProviderEvent

S = TypeVar("S", bound="ChannelSettings")


class ChannelSettings(Protocol):
    """The settings of one channel, as a frozen msgspec.Struct of environment variables."""

    @property
    def waits_for_events(self) -> bool:
        """Return whether events of the provider settle a doubt about a send."""

    @property
    def published(self) -> Mapping[str, Any]:
        """Return the members of a Publication that these settings decide."""

    def check(self) -> None:
        """Raise BadSettings where the settings contradict each other."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel sends with.

    `client` makes the client of an AWS service. `hold_seconds` is how long a route in doubt waits
    for a provider event. `now` returns the seconds since 1970.
    """

    client: Callable[[str], Any]
    catalog: "Catalog"
    renderer: "Renderer"
    hold_seconds: float
    trace_id: Callable[[], str]
    now: Callable[[], float]


class ChannelDefinition(Protocol[S]):
    """A channel without its sends; `S` is the type of its settings."""

    name: str
    """The name in kinds.yaml, in the database and in the registry."""

    address_field: str
    """The field of a recipient that the channel needs to reach the recipient."""

    def normalise(self, address: str) -> str:
        """Return an address as it is stored; raise BadAddress."""

    def settings(self) -> type[S]:
        """Return the type of the channel's settings."""

    def section(self) -> "type[Section]":
        """Return the type of the channel's keys in a kind's entry, with its template files."""

    def check_catalog(self, settings: S, catalog: "Catalog") -> None:
        """Raise BadSettings where a kind of the catalog needs a setting that is not set."""

    def planner(self, settings: S, renderer: "Renderer", new_id: Callable[[], UUID]) -> "Planner":
        """Return what plans the channel's routes."""

    def sender(self, settings: S, tools: Tools) -> "AnyChannel":
        """Return what sends the channel's messages."""

    def errors(self) -> "Sequence[Rule]":
        """Return what the errors of the channel's provider mean; the first match decides."""

    def events(self, text: str) -> "Sequence[ProviderEvent]":
        """Return what a document of the provider reports; raise BadEvent for another document."""

    def endpoints(self, settings: S, client: Callable[[str], Any]) -> "Endpoints | None":
        """Return the provider's endpoints of devices, or None where the channel has none."""
