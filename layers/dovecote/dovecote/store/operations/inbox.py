"""The inbox, as functions/api reads it: without the content of submissions."""

from typing import Any
from uuid import UUID

import msgspec

from dovecote.core.inbox import InboxEntry
from dovecote.store.queries import Queries


class PostgresInboxEntries(Queries):
    """Submissions that have not become notifications."""

    def is_waiting(self) -> bool:
        """Return whether a submission is pending."""
        (row,) = self._rows("inbox/is_waiting")
        return bool(row["waiting"])

    def entry(self, notification_id: UUID) -> InboxEntry | None:
        """Return a submission by the id of the notification that it was to become."""
        found = self._rows("inbox/entry", notification_id=notification_id)
        return _entry(found[0]) if found else None

    def refused(self, after: UUID | None, limit: int) -> list[InboxEntry]:
        """Return refused submissions after a place, the newest first."""
        return [_entry(row) for row in self._rows("inbox/refused", after=after, limit=limit)]


def _entry(row: dict[str, Any]) -> InboxEntry:
    problem = row.pop("problem")
    return InboxEntry(**row, problem=None if problem is None else msgspec.json.decode(problem))
