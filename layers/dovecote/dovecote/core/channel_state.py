"""The state of a channel that all workers share: pauses, pace, congestion."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel's provider throttles, as earlier batches found it.

    `requests` and `entries` are net refusals (congestion.py). `limited` while the channel is paced
    below its rate since the congestion at `since`; `probing` while the pace is above that of then.
    """

    requests: float = 0.0
    entries: float = 0.0
    limited: bool = False
    probing: bool = False
    since: datetime | None = None

    @property
    def score(self) -> float:
        """Return the larger of both counts."""
        return max(self.requests, self.entries)


class Congested(msgspec.Struct, frozen=True, kw_only=True):
    """Congestion that a batch found: at `pace` sends a second, this share was still accepted.

    `probing` and `since` are those of `Throttling` when the batch was claimed.
    """

    pace: float
    accepted_share: float
    probing: bool
    since: datetime | None


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel stands.

    A resource is the channel as a whole, named like it, or one identity or application of it,
    named `channel/…`. `paused` ones are nobody's to use; `recovering` ones, whose pause is over,
    are to be tried by one worker with one route. `unreached` and `unanswered` count what failed
    in a row: connections, and routes whose answer was lost. `paused_for` counts the seconds until
    the channel's own pause is over, `rate` is in sends a second. `refused` has, by narrow
    resource, the routes that were refused in a row and may be the cause themselves; through the
    `proven` ones a route was accepted after trouble. `awaited_for` counts the seconds until the
    first route is due that waits for a narrow resource; None where none waits. `at` is the time of
    the state by the database's clock, in seconds since 1970.
    """

    channel: str
    at: float = 0.0
    paused: frozenset[str] = frozenset()
    recovering: frozenset[str] = frozenset()
    unreached: int = 0
    unanswered: frozenset[UUID] = frozenset()
    paused_for: float = 0.0
    rate: float | None = None
    rate_is_old: bool = False
    throttling: Throttling = Throttling()
    refused: Mapping[str, frozenset[UUID]] = {}
    proven: frozenset[str] = frozenset()
    awaited_for: float | None = None

    @property
    def is_paced(self) -> bool:
        """Tell whether sends are reserved before they begin."""
        return self.rate is not None or self.throttling.limited


class SendSlots(msgspec.Struct, frozen=True, kw_only=True):
    """Reserved sends: `room` of them, the first after `wait` seconds, then one each `spacing`.

    `slots` is the end of the reservation, by which it can be given back.
    """

    room: int
    wait: float = 0.0
    spacing: float = 0.0
    slots: datetime | None = None


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause of a resource, which has been told to all workers."""

    resource: str
    seconds: float
    in_a_row: int


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """The due routes of a channel, counted no further than was asked, and its sends a second."""

    channel: str
    due: int
    rate: float | None
