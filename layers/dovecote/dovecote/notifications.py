"""Read and cancel notifications."""

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from msgspec.structs import replace

from dovecote.model import Cancellation, EmailRecord, Notification
from dovecote.ports import Store
from dovecote.problems import NotFound

UNKNOWN = "There is no such notification."


class Deliveries(Protocol):
    """What became of emails that were accepted. The call may raise StoreError."""

    def of(self, notification_id: UUID) -> Mapping[UUID, EmailRecord]:
        """Return what is on record of the emails of a notification, by route."""


class Notifications:
    """Use cases of a stored notification."""

    def __init__(self, *, store: Store, deliveries: Deliveries) -> None:
        self._store = store
        self._deliveries = deliveries

    def get(self, notification_id: str) -> Notification:
        """Return a notification with its routes and their deliveries; raise NotFound."""
        notification = self._store.notification(_parsed(notification_id))
        if notification is None:
            raise NotFound(UNKNOWN)
        found = self._deliveries.of(notification.notification_id)
        routes = [replace(r, delivery=found.get(r.route_id)) for r in notification.routes]
        return replace(notification, routes=routes)

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
