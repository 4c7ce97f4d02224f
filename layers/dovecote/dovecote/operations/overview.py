"""The overview: due, stuck and paused routes, dead letters and the last hour."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from dovecote.core.errors import ANSWER_SECONDS
from dovecote.core.ports import TimeLimits

MOST = 10_000
"""Counts stop here: this number means this many or more."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The live routes of a channel in one status.

    `due` routes are claimable, claimed, or behind a pause; `in_flight` routes are claimed; `lapsed`
    routes have an expired lease, and no worker has claimed them since.
    """

    channel: str
    status: str
    live: int
    due: int
    in_flight: int
    lapsed: int
    in_doubt: int
    oldest_due_seconds: float


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """A resource through which no worker sends until then; after that one worker probes it.

    `waiting` counts the routes behind the pause; the oldest was due `oldest_waiting_seconds` ago.
    """

    resource: str
    channel: str
    until: datetime
    in_a_row: int
    error: str | None
    waiting: int
    oldest_waiting_seconds: float


class OpenDeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead letters are open, by reason."""

    reason: str
    open: int


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """The events of the minute from `at`; dispatch retries `failed` attempts."""

    at: datetime
    published: int
    failed: int
    dead_lettered: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The state of all deliveries; every count except those of the minutes stops at `counted_to`.

    `minutes` is None if the last hour had too many events to count within a request.
    """

    counted_to: int
    live: Sequence[Live]
    paused: Sequence[Paused]
    dead_letters: Sequence[OpenDeadLetters]
    minutes: Sequence[Minute] | None


class OverviewStore(Protocol):
    """The store of the overview. Every call may raise StoreError."""

    def overview(self, most: int) -> Overview:
        """Return the overview, each thing counted up to `most`."""


class GetOverview:
    """The use case of the console's first screen."""

    def __init__(self, *, store: OverviewStore, limits: TimeLimits) -> None:
        self._store = store
        self._limits = limits

    def __call__(self) -> Overview:
        """Return the overview."""
        with self._limits.within(ANSWER_SECONDS):
            return self._store.overview(MOST)
