"""The submissions in SQL that are pending or were refused."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from dovecote.core.inbox import Expand, InboxEntry
from dovecote.core.parsing import queries
from dovecote.core.parsing.queries import Page
from dovecote.core.problems import Conflict, Fault, InProgress

T = TypeVar("T")

READERS = {"after": queries.uuid, "limit": queries.limit}
INVALID_QUERY = "The query is invalid."


class InboxEntries(Protocol):
    """The store of submissions that have not become notifications. It may raise StoreError."""

    def entry(self, notification_id: UUID) -> InboxEntry | None:
        """Return a submission by the id of the notification that it was to become."""

    def is_waiting(self) -> bool:
        """Return whether a submission is pending."""

    def refused(self, after: UUID | None, limit: int) -> Sequence[InboxEntry]:
        """Return refused submissions after a place, the newest first."""


class Inbox(Struct, kw_only=True):
    """Use cases of pending and refused submissions."""

    entries: InboxEntries
    expand: Expand

    def expanded(self, notification_id: UUID, read: Callable[[UUID], T | None]) -> T | None:
        """Return what `read` finds of a notification; expand its submission first if it is pending.

        Raises Conflict if the submission was refused, InProgress if it stays pending, and
        Unavailable.
        """
        found = read(notification_id)
        if found is None and (entry := self.settle(notification_id)) is not None:
            raise _conflict(entry.problem)
        return read(notification_id) if found is None else found

    def settle(self, notification_id: UUID) -> InboxEntry | None:
        """Expand a submission if it is pending; return it if it was refused or stays pending."""
        entry = self.entries.entry(notification_id)
        if entry is not None and entry.problem is None:
            self.expand({"notification_id": str(notification_id)})
            entry = self.entries.entry(notification_id)
        return entry

    def find_refused(self, query: str) -> Page[InboxEntry]:
        """Return a page of refused submissions, the newest first; raise Invalid."""
        given = queries.read(query, READERS, INVALID_QUERY)
        limit = given.get("limit", queries.USUAL)
        found = self.entries.refused(given.get("after"), limit + 1)
        return queries.page(found, limit, lambda one: one.notification_id)


def _conflict(problem: Mapping[str, Any] | None) -> Conflict:
    if problem is None:
        return InProgress("The submission could not be expanded yet.")
    faults = [Fault(one["pointer"], one["detail"]) for one in problem.get("errors", ())]
    return Conflict(f"The submission was refused: {problem['detail']}", faults)
