"""Delete what is older than its retention."""

from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

import msgspec

from dovecote.core.errors import ANSWER_SECONDS
from dovecote.core.ports import Log


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a batch deleted, and the last notification that it read."""

    last: UUID
    notifications: int
    routes: int
    dead_letters: int


MOST = 500
"""How many notifications one transaction reads."""

MOST_ROUTES = 2_000
"""After so many routes a batch takes no further notification, which may have 10,000."""

LEAST_SECONDS = ANSWER_SECONDS + 1
"""The time for a batch and its log line; with less, no batch begins."""

FIRST = UUID(int=0)

DELETED = ("notifications", "routes", "dead_letters")
"""What a batch deletes."""

RECORDS = ("submissions", "redrives", "devices", "minutes")
"""What else a run deletes: refused submissions, redrives, dead devices, and counts of minutes."""

MOST_RECORDS = 10_000
"""How many rows of each of these one run deletes."""


class Retention(Protocol):
    """The store of old notifications. Every call may raise StoreError."""

    def place(self, first: UUID) -> UUID:
        """Return the notification after which a purge continues; `first` once a day."""

    def purge(self, days: int, after: UUID, most: int, most_routes: int) -> Purged | None:
        """Delete the ended ones of the next old notifications after one, in one transaction.

        A notification has ended if all its routes have, and nothing changed them for so many days.
        Reads up to `most` notifications, and no further one after so many routes, and keeps the
        place of the last one. Return None if no old one is left.
        """

    def purge_records(self, days: int, most: int) -> Mapping[str, int]:
        """Delete up to `most` old rows of each of RECORDS; return how many of each were deleted.

        Submissions were refused, or are pending, and devices are dead for so many days. No dead
        letter names the redrives any more. Minutes are older than a day. 0 days keep all but these.
        """


class Purge(msgspec.Struct, kw_only=True):
    """The use case that an hourly schedule runs."""

    store: Retention
    days: int
    log: Log

    def __call__(self, left: Callable[[], float]) -> dict[str, int]:
        """Purge from the last place until nothing is left or the time is up; return the counts.

        Once a day it begins with the oldest notification, since some that it kept end later. A
        retention of 0 days keeps everything but minutes. Raises StoreError; earlier batches stay
        deleted.
        """
        tally = dict.fromkeys((*DELETED, *RECORDS), 0)
        after: UUID | None = self.store.place(FIRST) if self.days else None
        try:
            tally.update(self.store.purge_records(self.days, MOST_RECORDS))
            while after is not None and left() > LEAST_SECONDS:
                after = self._batch(after, tally)
        finally:
            self.log.info("purged", **tally, finished=after is None)
        return tally

    def _batch(self, after: UUID, tally: dict[str, int]) -> UUID | None:
        """Purge a batch; return the last notification that it read, or None at the end."""
        purged = self.store.purge(self.days, after, MOST, MOST_ROUTES)
        if purged is None:
            return None
        for name in DELETED:
            tally[name] += getattr(purged, name)
        return purged.last
