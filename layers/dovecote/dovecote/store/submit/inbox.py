"""The inbox, as functions/submit expands it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from dovecote.channels import lanes
from dovecote.core.inbox import InboxGauges, PendingSubmission
from dovecote.core.notification import Priority
from dovecote.store.queries import Queries

BASE_SECONDS = 60.0
"""How long a submission waits after its first claim; each further wait is twice as long."""

MOST_SECONDS = 3600.0
"""The longest wait."""


class PostgresInbox(Queries):
    """Pending submissions: claimed, given back, deleted and refused."""

    def claim(
        self, kinds: Mapping[str, Priority], *, again: bool, most: int
    ) -> list[PendingSubmission]:
        """Claim due submissions, by the priority of their kinds and by age."""
        return self._all(
            PendingSubmission,
            "inbox/claim",
            kinds=list(kinds),
            priorities=[lanes.PRIORITIES[priority] for priority in kinds.values()],
            again=again,
            most=most,
            base_seconds=BASE_SECONDS,
            most_seconds=MOST_SECONDS,
        )

    def give_back(self, notification_ids: Sequence[UUID]) -> None:
        """Make claimed submissions due again, without the attempt."""
        self._count("inbox/give_back", notification_ids=list(notification_ids))

    def pending(self, notification_id: UUID) -> PendingSubmission | None:
        """Return a pending submission."""
        return self._one(PendingSubmission, "inbox/pending", notification_id=notification_id)

    def pending_of(self, *, user_id: str | None, address: str | None, most: int) -> list[UUID]:
        """Return the ids of pending submissions that may concern a user or an address."""
        found = self._rows("inbox/pending_of", user_id=user_id, address=address, most=most)
        return [row["notification_id"] for row in found]

    def take(self, notification_id: UUID) -> bool:
        """Delete a pending submission; return whether it was pending."""
        (row,) = self._rows("inbox/take", notification_id=notification_id)
        return row["submitted_at"] is not None

    def refuse(self, notification_id: UUID, problem: str) -> bool:
        """Refuse a pending submission; return whether it was pending."""
        (row,) = self._rows("inbox/refuse", notification_id=notification_id, problem=problem)
        return bool(row["refused"])

    def gauges(self) -> InboxGauges:
        """Return what alarms watch."""
        (row,) = self._rows("inbox/inbox_gauges")
        return InboxGauges(**row)
