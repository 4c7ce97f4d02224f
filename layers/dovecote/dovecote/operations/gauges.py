"""Read the gauges of the queue: the age of its oldest route, its failures and its pauses."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from dovecote.core.errors import StoreError, StoreUnavailable
from dovecote.core.ports import Log, TimeLimits


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the queue at one moment.

    `oldest_due_seconds` is the age of the oldest live route since it was first due, behind a pause
    too. `waiting_routes` counts the routes behind any pause, `dead_letters_hour` the open dead
    letters of the last hour, both up to 10,000. `paused_resources` counts channels, identities,
    applications and topics. `paused_channels` names the channels that are paused as a whole.
    """

    oldest_due_seconds: float
    waiting_routes: int
    dead_letters_hour: int
    paused_resources: int
    paused_channels: Sequence[str]

    @property
    def totals(self) -> Mapping[str, float]:
        """Return the gauges that are about all channels together, by name."""
        return {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if name != "paused_channels"
        }


RETURN_SECONDS = 0.25
"""The time that a function needs to emit the gauges and return."""


class ReadGauges(msgspec.Struct, kw_only=True):
    """The use case of the gauges at the end of a run; `read` may raise StoreError."""

    read: Callable[[], Gauges]
    limits: TimeLimits
    log: Log

    def __call__(self, seconds: float) -> Gauges | None:
        """Return the gauges, read within `seconds`.

        None where the store fails or no time is left: missing gauges raise an alarm by themselves.
        """
        left = seconds - RETURN_SECONDS
        try:
            if left <= 0:
                raise StoreUnavailable("no time is left")
            with self.limits.within(left):
                return self.read()
        except StoreError as error:
            self.log.warning("gauges not read", error=str(error))
            return None
