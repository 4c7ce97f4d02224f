"""What the workers of a dispatcher share: collaborators, rates, and the times of a run.

Times are in seconds.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

from msgspec import Struct

from dovecote.channels.base import AnyChannel
from dovecote.core.backoff import Random
from dovecote.core.channel_state import ChannelState
from dovecote.core.errors import ProviderUnavailable
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.dispatch.deliver import Deliver
from dovecote.dispatch.finalise import Finaliser
from dovecote.dispatch.ports import DispatchStore

LAPSED_SHARE = 0.2
"""The last part of a run, in which routes whose lease ran out go before fresh ones."""

FINALISE_SECONDS = 2.0
"""The part of the function's time that is reserved for writing results."""

MARGIN_SECONDS = 0.5
"""The time that a function needs to return before it is ended."""

THROTTLED_SECONDS = 3.0
"""How long a run without other routes waits at most for throttled routes."""

HORIZON_SECONDS = 2.0
"""How far ahead a worker reserves the slots of a rate; other workers wait no longer than that."""

LIMITED_HORIZON_SECONDS = 0.3
"""The same while a channel is slowed down, so that all workers soon follow a change of its pace."""

RECHECK_SECONDS = 0.5
"""How long a worker waits before it checks again a channel that it may not use yet."""

STATE_SECONDS = 0.25
"""How long the channel state of the last claim is used; the next step reads it again."""

RECENT_SECONDS = 5.0
"""How long an acceptance in the same run makes it likely that a refusal is the route's own."""

TimeLeft = Callable[[], float]
"""Returns the seconds until the function is ended."""


class Timing(Struct, frozen=True, kw_only=True):
    """How large a batch is, and how long its parts may take, in seconds."""

    batch_size: int
    lease_seconds: float
    send_seconds: float

    @property
    def least(self) -> float:
        """Return the time that one send and its finaliser need."""
        return self.send_seconds + FINALISE_SECONDS

    @property
    def horizon(self) -> float:
        """Return how far ahead slots are reserved, so that the lease covers the last send."""
        return min(HORIZON_SECONDS, (self.lease_seconds - self.send_seconds) / 2)

    def last_part(self, left: float) -> float:
        """Return how long the last part of a run is that has so much time left."""
        return max(left * LAPSED_SHARE, 2 * self.least)


class Rates(Struct, kw_only=True):
    """The rates of channels, shared by all workers through the store."""

    store: DispatchStore
    channels: Mapping[str, AnyChannel]
    log: Log

    def of(self, channel_state: ChannelState) -> float | None:
        """Return the sends per second of a channel, None for no limit.

        A provider is asked again when its last answer is old.
        """
        channel = self.channels[channel_state.channel]
        if channel.rate_from_provider:
            return self._from_provider(channel, channel_state)
        rate = channel.rate()
        if rate is not None and rate != channel_state.rate:
            self.store.set_rate(channel_state.channel, rate)
        return rate

    def _from_provider(self, channel: AnyChannel, channel_state: ChannelState) -> float | None:
        if not channel_state.rate_is_old:
            return channel_state.rate
        rate = self._asked(channel)
        self.store.set_rate(channel_state.channel, rate)
        return channel_state.rate if rate is None else rate

    def _asked(self, channel: AnyChannel) -> float | None:
        try:
            return channel.rate()
        except ProviderUnavailable as error:
            self.log.warning("sending rate not known", error=str(error))
            return None


class Services(Struct, frozen=True, kw_only=True):
    """The collaborators of dispatch, each thread-safe."""

    store: DispatchStore
    channels: Mapping[str, AnyChannel]
    deliver: Deliver
    finaliser: Finaliser
    rates: Rates
    clock: Clock
    sleep: Sleep
    random: Random
    log: Log
    new_id: Callable[[], UUID]
    timing: Timing
