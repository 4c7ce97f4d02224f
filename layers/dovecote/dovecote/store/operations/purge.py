"""Delete old notifications."""

from uuid import UUID

from dovecote.operations.purge import Purged
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute, in_transaction, rows

AGED = {
    "submissions": "inbox/purge",
    "redrives": "operations/purge_redrives",
    "devices": "devices/delete_dead_devices",
}
"""The statements that delete records older than a number of days."""


class PostgresPurge(Queries):
    """Deletes notifications that ended long enough ago."""

    def place(self, first: UUID) -> UUID:
        """Return the notification after which a purge continues; `first` once a day."""
        (row,) = self._rows("operations/purge_place", first=first)
        place: UUID = row["after_id"]
        return place

    @in_transaction
    def purge(
        self, connection: Opened, days: int, after: UUID, most: int, most_routes: int
    ) -> Purged | None:
        """Delete the ended ones of the next old notifications; return None when none is left."""
        parameters = {"days": days, "after": after, "most": most, "most_routes": most_routes}
        found = rows(connection, "operations/purgeable", parameters)
        if not found:
            return None
        over = [row["notification_id"] for row in found if row["over"]]
        (counts,) = rows(connection, "operations/purge", {"notification_ids": over})
        last = found[-1]["notification_id"]
        execute(connection, "operations/keep_purge_place", {"last": last})
        return Purged(last=last, **counts)

    def purge_records(self, days: int, most: int) -> dict[str, int]:
        """Delete up to `most` old rows of each kind; return how many of each were deleted."""
        aged = AGED if days else {}
        return {
            "minutes": self._count("operations/purge_minutes", most=most),
            **{what: self._count(name, days=days, most=most) for what, name in aged.items()},
        }
