"""How a run of dispatch divides its time, in seconds."""

from collections.abc import Callable

from msgspec import Struct

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

REREAD_SECONDS = 5.0
"""How long lanes are read from the end of the last claim; a route due before it waits as long."""

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
