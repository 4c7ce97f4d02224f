"""What submit needs from the store and the catalog. Calls of the store may raise StoreError."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from dovecote.core.claim import Lease
from dovecote.core.device import Device
from dovecote.core.notification import NewNotification, Notification, Recipient, Submission
from dovecote.core.stored import Stored
from dovecote.dispatch.ports import BatchStore

if TYPE_CHECKING:  # few functions check a payload
    from dovecote.catalog.kinds import Kind
    from dovecote.channels.planning import Oversized


class Preview(Protocol):
    """Tries whether the messages of a kind can be made, before anything is stored."""

    def texts(self, kind: "Kind", locale: str | None) -> Hashable:
        """Return which texts of a kind a locale has."""

    def reads(self, kind: "Kind", locale: str | None) -> frozenset[str]:
        """Return the variables that this reads in full to try a kind's messages."""

    def reached(self, kind: "Kind", recipient: Recipient) -> tuple[str, ...]:
        """Return the channels of a kind for which a recipient has an address."""

    def fault(
        self, kind: "Kind", submission: Submission, recipient: Recipient
    ) -> "str | Oversized | None":
        """Return why a recipient's messages cannot be made, or None."""


class StoredNotifications(Protocol):
    """Notifications that were stored before."""

    def find(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds this key within its kind."""

    def notification(self, notification_id: UUID) -> Notification | None:
        """Return a notification with its routes."""


class Submissions(StoredNotifications, Protocol):
    """New notifications, and those that hold their keys."""

    def submit(
        self,
        notification: NewNotification,
        lease: Lease,
        *,
        unless_devices_of: Sequence[str] = (),
    ) -> Stored | None:
        """Store a notification with its routes; return None if its key is taken.

        Raises DevicesFound, with nothing stored, if one of those users has a live device.
        Raises StoreBusy while another transaction is storing the same key.
        """


class UserDevices(Protocol):
    """The devices that a notification goes to."""

    def devices(self, user_ids: Sequence[str]) -> list[Device]:
        """Return the devices of these users, the oldest first."""


class AttemptStore(BatchStore, Protocol):
    """The store of a best effort."""


class WakeUpRights(Protocol):
    """The right to call dispatch."""

    def wake_up(self, channels: Sequence[str]) -> bool:
        """Take the right to call dispatch for a second; not if all these channels are paused."""
