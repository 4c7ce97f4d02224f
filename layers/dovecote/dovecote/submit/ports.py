"""What submit needs from the store. Its calls may raise StoreError."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Lease
from dovecote.core.device import UserDevice
from dovecote.core.inbox import PendingSubmission
from dovecote.core.notification import (
    NewNotification,
    Notification,
    PlanScheduled,
    Priority,
    Stored,
    Submission,
)
from dovecote.dispatch.ports import BatchStore


class Submissions(Protocol):
    """New notifications, those that hold their keys, and the devices that they go to."""

    def find(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds this key within its kind."""

    def notification(self, notification_id: UUID) -> Notification | None:
        """Return a notification with its routes."""

    def submit(
        self,
        notification: NewNotification,
        lease: Lease,
        *,
        unless_devices_of: Sequence[str] = (),
    ) -> Stored | None:
        """Store a notification with its routes; return None if its key is taken.

        Raises DevicesFound, with nothing stored, if one of those users has a live device, and
        PeopleErased, with nothing stored, if routes name people who were erased.
        Raises StoreBusy while another transaction is storing the same key.
        """

    def fingerprint(self, submission: Submission) -> bytes:
        """Return the fingerprint that the store keeps of a submission."""

    def devices(self, user_ids: Sequence[str]) -> list[UserDevice]:
        """Return the devices of these users, the oldest first."""


class ScheduledRoutes(Protocol):
    """The scheduled routes to users."""

    def expand(self, plan: PlanScheduled, most: int) -> tuple[int, set[str]]:
        """Expand due routes, up to `most` of each lane, in one transaction.

        Return how many were expanded, and the channels of the routes that are due now.
        """


class InlineStore(BatchStore, Protocol):
    """The store of one best effort."""

    @property
    def published(self) -> Mapping[UUID, tuple[str, datetime]]:
        """Return the message id and the time of publishing of routes that were published."""

    def ready(self, channel: str, wanted: int, horizon: float) -> tuple[ChannelState, SendSlots]:
        """Return the state of a channel and, unless it is paused, its next sends.

        These begin within `horizon` seconds and are reserved where the channel has a rate.
        """


class Inbox(Protocol):
    """The pending submissions in SQL."""

    def claim(
        self, kinds: Mapping[str, Priority], *, again: bool, most: int
    ) -> Sequence[PendingSubmission]:
        """Claim due submissions, by the priority of their kinds and by age.

        `again` selects those that were attempted before. A claimed one is due again later.
        """

    def give_back(self, notification_ids: Sequence[UUID]) -> None:
        """Make claimed submissions due again, without the attempt."""

    def pending(self, notification_id: UUID) -> PendingSubmission | None:
        """Return a pending submission."""

    def pending_of(self, *, user_id: str | None, address: str | None, most: int) -> Sequence[UUID]:
        """Return the ids of pending submissions that may concern a user or an address."""

    def take(self, notification_id: UUID) -> bool:
        """Delete a pending submission; return whether it was pending."""

    def refuse(self, notification_id: UUID, problem: str) -> bool:
        """Refuse a pending submission; return whether it was pending."""


class WakeUpRights(Protocol):
    """The right to call dispatch."""

    def wake_up(self, channels: Sequence[str]) -> bool:
        """Take the right to call dispatch for a second; not if all these channels are paused."""
