"""The store that dispatch needs, in parts. Every call may raise StoreError."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from dovecote.core.channel_state import Backlog, ChannelState, Congested, Pause, SendSlots
from dovecote.core.claim import Claim, Lease
from dovecote.core.transitions import DeadLetter, Deferral, Doubt, Retry
from dovecote.dispatch.cursors import LaneCursors

WOKEN = "submit"
"""The source in the event of a run that submit called."""


class LaneResult(msgspec.Struct, frozen=True, kw_only=True):
    """The claimed routes of a lane: their number and the last due time, in seconds since 1970."""

    count: int
    until: float


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Due routes of a lane to examine: the oldest `most` that are due at `since` or later.

    From `until` on, by the database's clock, the oldest ones of all.
    """

    lane: int
    since: float
    until: float
    most: int


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What a window had at `at`: due routes from `first` to `last`, and the lapsed ones of them.

    Without routes `first` is infinite.
    """

    count: int
    first: float
    last: float
    lapsed: Sequence[UUID]
    at: float


class Claimed(Protocol):
    """Claimed routes; the first read of one decodes all."""

    def __iter__(self) -> Iterator[Claim]:
        """Iterate over the claims."""

    def __len__(self) -> int:
        """Return how many routes were claimed."""

    @property
    def by_lane(self) -> Mapping[int, LaneResult]:
        """Return the result of each lane, without decoding the routes."""


class Transaction(Protocol):
    """The writes of a finaliser within one transaction.

    Each call writes only routes that still carry the token, and returns what it wrote.
    """

    def publish(self, token: UUID, message_ids: Mapping[UUID, str]) -> int:
        """Make routes published; return how many."""

    def record_acceptances(self, acceptances: Mapping[UUID, str]) -> None:
        """Put the accepted message of each route on record; the first one stays."""

    def retry(self, token: UUID, retries: Mapping[UUID, Retry | Doubt]) -> dict[UUID, datetime]:
        """Make routes due again; return their due times."""

    def dead_letter(self, token: UUID, ends: Mapping[UUID, DeadLetter]) -> set[UUID]:
        """Make routes dead letters, each with its row."""

    def skip(self, token: UUID, reasons: Mapping[UUID, str]) -> set[UUID]:
        """Make routes skipped."""

    def give_back(
        self,
        token: UUID,
        route_ids: Sequence[UUID],
        *,
        lapsed: bool,
        hold: float,
        behind: str | None = None,
        delay: float = 0.0,
    ) -> int:
        """Give back routes whose send did not begin; `lapsed` ones become lapsed again.

        They are due when the pause of the resource `behind` is over, if it is named, and after
        `delay` seconds, give or take a half.
        """

    def defer(
        self,
        token: UUID,
        deferrals: Mapping[UUID, Deferral],
        *,
        lapsed: bool,
        hold: float,
        behind: str,
    ) -> int:
        """Give back refused routes whose cause may be the resource `behind`.

        They are due after the routes that wait for it, each by its own delay.
        """

    def mark_device_dead(self, endpoint: str, route_id: UUID) -> None:
        """Mark the device of an endpoint dead, unless it registered after the route's attempt."""


class BatchStore(Protocol):
    """The store of a batch: its results, and the state of channels and resources.

    One worker at a time has the right to probe a resource after its pause.
    """

    def publish(
        self,
        token: UUID,
        message_ids: Mapping[UUID, str],
        acceptances: Mapping[UUID, str],
    ) -> int:
        """Put the accepted messages of routes on record and make routes published.

        Return how many were published: those that still carry the token. Commits everything or
        nothing.
        """

    def remove_secrets(self, route_ids: Sequence[UUID]) -> None:
        """Remove the secret payloads of these routes whose notifications have no live route."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction; it commits when the context ends without an error."""

    def accepted(self, route_ids: Sequence[UUID]) -> dict[UUID, str]:
        """Return the message ids of those routes whose accepted messages are on record."""

    def acquire_probe(self, resource: str, seconds: float) -> bool:
        """Take the right to probe a resource."""

    def release_probe(self, resource: str) -> None:
        """Give the right to probe a resource back."""

    def pause(
        self,
        resource: str,
        error: str,
        *,
        base: float,
        most: float,
        jitter: float,
        longer: bool = True,
    ) -> Pause | None:
        """Pause a resource for all workers; return None if it is already paused.

        Each pause in a row is `longer` than the one before, or as long.
        """

    def resume(self, resource: str, *, accepted: bool = False) -> bool:
        """End the trouble of a resource; return False if it is paused again.

        `accepted`: a route was accepted through it, which explains the refusals before that.
        """

    def record_refusals(self, resource: str, refused: Sequence[UUID], *, proven: bool) -> None:
        """Record routes that were refused in a row; `proven` if others were accepted."""

    def record_throttling(
        self, channel: str, counts: Mapping[str, int], congested: Congested | None
    ) -> float | None:
        """Count answers (congestion.py) for all workers; on congestion, lower the pace.

        Return the sends per second to which the channel is slowed down. Return None without
        congestion, or if another worker slowed it down since this batch was claimed.
        """

    def record_failures(self, channel: str, *, unreached: int, unanswered: Sequence[UUID]) -> None:
        """Count failures in a row on a channel."""


class DispatchStore(BatchStore, Protocol):
    """The store of dispatch."""

    def channel_state(self, channel: str) -> ChannelState:
        """Return the state of a channel and its resources."""

    def reserve(self, channel: str, wanted: int, horizon: float) -> SendSlots:
        """Reserve the next sends of a channel with a rate that begin within `horizon` seconds."""

    def claim(
        self, channel: str, lanes: Mapping[int, int], lease: Lease, cursors: LaneCursors
    ) -> tuple[Claimed, ChannelState]:
        """Claim due routes, up to a limit in each lane, none of them due before its cursor.

        Also return the channel's state after the claim.
        """

    def find_due_lanes(
        self, channel: str, lanes: Sequence[int], cursors: LaneCursors
    ) -> tuple[Collection[int], ChannelState]:
        """Return which lanes have a route that a claim may take, and the channel's state."""

    def examine(self, windows: Sequence[Window], *, hold: float) -> Sequence[Examined]:
        """Look for routes whose lease and hold ran out; return a result for each window."""

    def claim_lapsed(self, route_ids: Sequence[UUID], lease: Lease, *, hold: float) -> Claimed:
        """Claim the first of these routes whose lease and hold ran out."""

    def claim_expired(
        self, lanes: Sequence[int], lease: Lease, *, hold: float, limit: int
    ) -> Claimed:
        """Claim expired routes of these lanes, which the caller ends without a send."""

    def release_slots(self, channel: str, slots: SendSlots, unused: int) -> None:
        """Give back the last of the reserved sends."""

    def set_rate(self, channel: str, rate: float | None) -> None:
        """Set the sends per second of a channel; None keeps the last known rate."""

    def backlog(self, most: int, cursors: LaneCursors | None = None) -> list[Backlog]:
        """Return the backlog of each channel that is not paused, counted up to `most`.

        Routes that are due before their lane's cursor are not counted.
        """

    def hold_wake_up(self, seconds: float) -> None:
        """Let no caller take the right to call dispatch for so many seconds."""
