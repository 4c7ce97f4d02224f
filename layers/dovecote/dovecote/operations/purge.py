"""Delete notifications, payloads and other records that are older than their retention."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol
from uuid import UUID

import msgspec

from dovecote.core.errors import ANSWER_SECONDS
from dovecote.core.notification import SECRET, USUAL_DAYS
from dovecote.core.ports import Log

MOST = 500
"""How many notifications one transaction reads."""

MOST_ROUTES = 2_000
"""After so many routes a batch takes no further notification, which may have 10,000."""

LEAST_SECONDS = ANSWER_SECONDS + 1
"""The time for a batch and its log line; with less, no batch begins."""

FIRST = UUID(int=0)

RECORDS = ("submissions", "redrives", "devices", "minutes")
"""What else a run deletes: refused submissions, redrives, dead devices, and counts of minutes."""

MOST_RECORDS = 10_000
"""How many rows of each of these one run deletes."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Which notifications a batch reads: the next ones after one, which ended `days` ago.

    It reads up to `most` of them, and no further one after `most_routes` routes.
    """

    days: int
    after: UUID
    most: int
    most_routes: int


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a batch deleted, and the last notification that it read."""

    last: UUID
    notifications: int = 0
    routes: int = 0
    dead_letters: int = 0
    payloads: int = 0


DELETED = ("notifications", "routes", "dead_letters", "payloads")
"""What batches delete."""


class Retention(Protocol):
    """The store of old notifications. Every call may raise StoreError.

    A batch is one transaction, which keeps the place of the last notification that it read. It is
    None if no old one is left. Places are of notifications, where `payload_days` is None, or of the
    payloads that are kept for so many days.
    """

    def place(self, payload_days: int | None, first: UUID) -> UUID:
        """Return the notification after which a purge continues; `first` once a day."""

    def purge(self, batch: Batch) -> Purged | None:
        """Delete the ended ones of the next old notifications after one.

        A notification has ended if all its routes have, and nothing changed them for so many days.
        """

    def payload_days(self) -> list[int]:
        """Return the different `payload_days` of the payloads that are stored."""

    def remove_payloads(self, payload_days: int, batch: Batch) -> Purged | None:
        """Remove the payloads of the next notifications whose routes all ended so many days ago."""

    def purge_records(self, days: int, most: int) -> Mapping[str, int]:
        """Delete up to `most` old rows of each of RECORDS; return how many of each were deleted.

        Submissions were refused, or are pending, and devices are dead for so many days. No dead
        letter names the redrives any more. Minutes are older than a day. 0 days keep all but these.
        """


class Purge(msgspec.Struct, kw_only=True):
    """The use case that an hourly schedule runs.

    Notifications are kept for `days`, their payloads for `payload_days` unless their kind has its
    own; 0 keeps them.
    """

    store: Retention
    days: int
    payload_days: int
    log: Log

    def __call__(self, left: Callable[[], float]) -> dict[str, int]:
        """Purge from the last places until nothing is left or the time is up; return the counts.

        Payloads come first and take at most half of the time. Once a day a purge begins with the
        oldest notification, since some that it kept end later. Raises StoreError; earlier batches
        stay deleted.
        """
        tally = dict.fromkeys((*DELETED, *RECORDS), 0)
        finished = False
        try:
            tally.update(self.store.purge_records(self.days, MOST_RECORDS))
            finished = self._remove_payloads(tally, left, left() / 2)
            finished = self._purge(tally, left) and finished
        finally:
            self.log.info("purged", **tally, finished=finished)
        return tally

    def _purge(self, tally: dict[str, int], left: Callable[[], float]) -> bool:
        """Delete old notifications; return whether none is left."""
        if not self.days:
            return True
        after = self.store.place(None, FIRST)
        return _repeat(self.store.purge, _batch(self.days, after), tally, left)

    def _remove_payloads(
        self, tally: dict[str, int], left: Callable[[], float], spare: float
    ) -> bool:
        """Remove old payloads while more than `spare` seconds are left; return whether none is."""
        for payload_days in self.store.payload_days():
            days = self.payload_days if payload_days == USUAL_DAYS else payload_days
            if payload_days != SECRET and not days:
                continue
            after = FIRST if payload_days == SECRET else self.store.place(payload_days, FIRST)
            remove = partial(self.store.remove_payloads, payload_days)
            if not _repeat(remove, _batch(days, after), tally, lambda: left() - spare):
                return False
        return True


def _batch(days: int, after: UUID) -> Batch:
    return Batch(days=days, after=after, most=MOST, most_routes=MOST_ROUTES)


def _repeat(
    work: Callable[[Batch], Purged | None],
    batch: Batch,
    tally: dict[str, int],
    left: Callable[[], float],
) -> bool:
    """Run batch after batch and count the rows; return whether no old row is left."""
    while left() > LEAST_SECONDS:
        purged = work(batch)
        if purged is None:
            return True
        for name in DELETED:
            tally[name] += getattr(purged, name)
        batch = msgspec.structs.replace(batch, after=purged.last)
    return False
