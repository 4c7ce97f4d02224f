"""Read one notification."""

from uuid import UUID

from dovecote.core.notification import Notification
from dovecote.core.route import Route
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, rows


class PostgresNotifications(Queries):
    """Stored notifications, by id and by key."""

    def find(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds this key within its kind."""
        found = self._rows("submit/find", kind=kind, idempotency_key=idempotency_key)
        return self.notification(found[0]["notification_id"]) if found else None

    def notification(self, notification_id: UUID) -> Notification | None:
        """Return a notification with its routes."""
        parameters = {"notification_id": notification_id}

        def work(connection: Opened) -> Notification | None:
            found = rows(connection, "submit/notification", parameters)
            routes = [Route(**row) for row in rows(connection, "submit/routes", parameters)]
            return Notification(**found[0], routes=routes) if found else None

        return self.database.ask(work)
