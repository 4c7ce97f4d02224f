"""Read and cancel notifications."""

from uuid import UUID

from dovecote.model import Cancellation, Notification
from dovecote.ports import Store
from dovecote.problems import NotFound

UNKNOWN = "There is no such notification."


class Notifications:
    """Use cases of a stored notification."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def get(self, notification_id: str) -> Notification:
        """Return a notification with its routes; raise NotFound."""
        notification = self._store.notification(_parsed(notification_id))
        if notification is None:
            raise NotFound(UNKNOWN)
        return notification

    def cancel(self, notification_id: str) -> Cancellation:
        """Cancel what is still to be sent and in nobody's hands; raise NotFound."""
        cancellation = self._store.cancel(_parsed(notification_id))
        if cancellation is None:
            raise NotFound(UNKNOWN)
        return cancellation


def _parsed(notification_id: str) -> UUID:
    try:
        return UUID(notification_id)
    except ValueError:
        raise NotFound(UNKNOWN) from None
