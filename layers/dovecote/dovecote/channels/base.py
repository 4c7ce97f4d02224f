"""The interface of sending. A channel is passive: the sender in dispatch/ decides when it sends.

A channel knows no threads, no clock, no send slots, no circuit breaker and no other batches.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.rendering import Renderer
from dovecote.core.claim import Claim
from dovecote.core.outcome import Outcome

Reply = tuple[Sequence[Claim], Outcome]
"""An outcome, and the claims that it is for: one claim, or all claims of a request."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A claim's rendered message.

    `size` is its part of a shared request, in the unit of `Channel.max_size`; None where the
    message needs a request of its own.
    """

    claim: Claim
    size: int | None = None


M = TypeVar("M", bound=Prepared)


class Channel(Protocol[M]):
    """How messages reach recipients.

    A claim enters `send` once for each request that carries it, and has one outcome per request.
    `hold_seconds` is how long a route in doubt waits for a provider event; 0 without such events.
    `keeps_acceptances` says that accepted messages are on record and never sent again.
    `batch_size` is the most messages of one request, `max_size` the most that their sizes add up
    to. `rate_from_provider` says that `rate` sends a request to the provider.
    """

    hold_seconds: float
    keeps_acceptances: bool
    batch_size: int
    max_size: int
    rate_from_provider: bool

    def connect(self) -> None:
        """Make what sends need, such as a client. The sender calls this before each batch."""

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return what a send uses: the channel, then its identity, application or topic."""

    def batch_key(self, claim: Claim) -> Hashable | None:
        """Return a key that claims of one request share; None for a request of its own."""

    def prepare(self, claim: Claim) -> M | Outcome:
        """Render a claim's message, or return the outcome of a claim that needs no send."""

    def send(self, messages: Sequence[M]) -> Iterable[Reply]:
        """Send one provider request; yield the outcome of each message, or one of all of them."""

    def rate(self) -> float | None:
        """Return the sends per second, None for no limit; raise ProviderUnavailable."""


AnyChannel = Channel[Any]
"""A channel, whatever its messages hold."""


class ChannelSettings(Protocol):
    """The settings of one channel, as a frozen msgspec.Struct of environment variables."""

    @property
    def waits_for_events(self) -> bool:
        """Return whether events of the provider settle a doubt about a send."""

    def check(self) -> None:
        """Raise BadSettings where the settings contradict each other."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel sends with.

    `client` makes the client of an AWS service. `hold_seconds` is how long a route in doubt waits
    for a provider event. `now` returns the seconds since 1970.
    """

    client: Callable[[str], Any]
    catalog: Catalog
    renderer: Renderer
    hold_seconds: float
    trace_id: Callable[[], str]
    now: Callable[[], float]
