"""What is kept no longer, on PostgreSQL."""

from uuid import UUID

from dovecote.operations.purge import Purged
from dovecote.store.database import Database, Opened
from dovecote.store.rows import rows


class PostgresRetention:
    """Notifications that are over, and their end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def purge(self, days: int, after: UUID, most: int, most_routes: int) -> Purged | None:
        """Delete what is over of the next old notifications; None where there are no more."""
        parameters = {"days": days, "after": after, "most": most, "most_routes": most_routes}

        def work(connection: Opened) -> Purged | None:
            found = rows(connection, "purgeable", parameters)
            if not found:
                return None
            over = [row["notification_id"] for row in found if row["over"]]
            (counts,) = rows(connection, "purge", {"notification_ids": over})
            return Purged(last=found[-1]["notification_id"], **counts)

        return self._database.run(work)
