"""What dispatch needs from the store."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from dovecote.core.channel_state import Backlog, ChannelState, Congested, Pause, SendSlots
from dovecote.core.claim import Claim, Lease
from dovecote.core.device import Device
from dovecote.core.feedback import Feedback
from dovecote.core.notification import (
    Cancellation,
    NewNotification,
    Notification,
)
from dovecote.core.stored import Stored
from dovecote.core.transitions import DeadLetter, Deferral, Doubt, Retry

if TYPE_CHECKING:
    from dovecote.operations.gauges import Gauges


class LaneResult(msgspec.Struct, frozen=True, kw_only=True):
    """How many routes of a lane were claimed, and when the last of them was due."""

    count: int
    until: float


class Claimed(Sequence[Claim]):
    """Claimed routes; who first looks at one decodes them all."""

    @property
    @abstractmethod
    def by_lane(self) -> Mapping[int, LaneResult]:
        """Return what there is of each lane, without decoding the routes."""


class Transaction(Protocol):
    """What the finaliser writes, within its caller's transaction.

    Each call writes only where the routes still carry the token, and returns what it wrote.
    """

    def publish(self, token: UUID, message_ids: Mapping[UUID, str]) -> int:
        """Make routes published; return how many."""

    def record_acceptances(self, acceptances: Iterable[tuple[str, UUID, str]]) -> None:
        """Put accepted emails on record: template, route and message id; the first wins."""

    def retry(self, token: UUID, retries: Mapping[UUID, Retry | Doubt]) -> dict[UUID, datetime]:
        """Make routes due again; return when each is."""

    def dead_letter(self, token: UUID, ends: Mapping[UUID, DeadLetter]) -> set[UUID]:
        """Make routes dead letters, each with its row."""

    def skip(self, token: UUID, reasons: Mapping[UUID, str]) -> set[UUID]:
        """Make routes skipped."""

    def give_back(
        self,
        token: UUID,
        route_ids: Sequence[UUID],
        *,
        lapsed: bool,
        hold: float,
        behind: str | None = None,
        delay: float = 0.0,
    ) -> int:
        """Give routes back that were not begun; `lapsed` ones as the lapsed ones they were.

        They are due again when the pause of the resource `behind` is over, where one is named, and
        after `delay` seconds, give or take half of them.
        """

    def defer(
        self,
        token: UUID,
        deferrals: Mapping[UUID, Deferral],
        *,
        lapsed: bool,
        hold: float,
        behind: str,
    ) -> int:
        """Give routes back that were refused, where the cause may be the resource `behind`.

        They are due again after the routes that wait for it, each by its own delay.
        """

    def mark_device_dead(self, endpoint: str, route_id: UUID) -> None:
        """Mark the device of an endpoint dead, unless it registered after the route's attempt."""


class Store(Protocol):
    """Notifications, routes, devices and how channels stand. Every call may raise StoreError."""

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Bound all that this thread asks of the store in the context."""

    def spending(self, seconds: float) -> AbstractContextManager[None]:
        """Bound the time that this thread spends in the store in the context.

        What it does in between does not count.
        """

    def submit(
        self,
        notification: NewNotification,
        lease: Lease,
        *,
        unless_devices_of: Sequence[str] = (),
    ) -> Stored | None:
        """Store a notification with its routes; None where its key is taken.

        Raises DevicesFound, with nothing stored, where one of those users has a live device.
        Raises StoreBusy while another transaction is storing the same key.
        """

    def find(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds this key within its kind."""

    def notification(self, notification_id: UUID) -> Notification | None:
        """Return a notification with its routes."""

    def claim(
        self, channel: str, lanes: Mapping[int, int], lease: Lease, since: Mapping[int, float]
    ) -> tuple[Claimed, ChannelState]:
        """Claim due routes, at most so many of each lane, and none that was due before `since`.

        Returns also how the channel stands after that.
        """

    def claim_lapsed(self, lanes: Sequence[int], lease: Lease, *, hold: float) -> Claimed:
        """Claim at most one route of these lanes whose lease ran out, and with it the hold."""

    def claim_expired(
        self, lanes: Sequence[int], lease: Lease, *, hold: float, limit: int
    ) -> Claimed:
        """Claim routes of these lanes that are past their time, to be ended."""

    def accepted(self, routes: Sequence[tuple[str, UUID]]) -> dict[UUID, str]:
        """Return the message ids of those emails (template, route) that are on record."""

    def publish(
        self,
        token: UUID,
        message_ids: Mapping[UUID, str],
        acceptances: Sequence[tuple[str, UUID, str]],
    ) -> int:
        """Put accepted emails (template, route, message id) on record and make routes published.

        Returns how many were published: those that still carry the token. All is committed, or
        nothing.
        """

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction; it commits when the context ends well."""

    def cancel(self, notification_id: UUID) -> Cancellation | None:
        """Cancel what is still to be sent; None where there is no such notification.

        What an earlier call cancelled counts again.
        """

    def tell(self, feedback: Feedback) -> bool:
        """Write down what the provider told of a send; return whether its route changed."""

    def mark_device_dead(self, endpoint: str, reported_at: datetime) -> bool:
        """Mark a device dead that the provider told of; return whether that was news."""

    def channel_state(self, channel: str) -> ChannelState:
        """Return how a channel and its resources stand."""

    def reserve(self, channel: str, wanted: int, horizon: float) -> SendSlots:
        """Reserve the next sends of a channel with a rate that begin within `horizon` seconds."""

    def release_slots(self, channel: str, slots: SendSlots, unused: int) -> None:
        """Give back the last of the reserved sends."""

    def set_rate(self, channel: str, rate: float | None) -> None:
        """Keep how much a channel may send a second; None where the provider did not say."""

    def pause(
        self,
        resource: str,
        error: str,
        *,
        base: float,
        most: float,
        jitter: float,
        longer: bool = True,
    ) -> Pause | None:
        """Pause a resource for all workers; None where it is paused already.

        Each pause in a row is `longer` than the one before, or as long.
        """

    def acquire_probe(self, resource: str, seconds: float) -> bool:
        """Take the right to probe a resource after its pause."""

    def release_probe(self, resource: str) -> None:
        """Give that right back."""

    def resume(self, resource: str, *, accepted: bool = False) -> bool:
        """End the trouble of a resource; return whether it is not paused again.

        `accepted`: a route was accepted through it, which explains the refusals before that.
        """

    def record_refusals(self, resource: str, refused: Sequence[UUID], *, proven: bool) -> None:
        """Remember routes that were refused in a row; `proven` where others were accepted."""

    def record_throttling(
        self, channel: str, counts: Mapping[str, int], congested: Congested | None
    ) -> float | None:
        """Count answers (congestion.py) for all workers; where congested, lower the pace.

        Returns the sends a second that the channel is slowed down to, or None where it is not, or
        another worker has slowed it down since this batch was claimed.
        """

    def record_failures(self, channel: str, *, unreached: int, unanswered: Sequence[UUID]) -> None:
        """Count what failed in a row on a channel."""

    def gauges(self) -> "Gauges":
        """Return what alarms look at."""

    def backlog(self, most: int) -> list[Backlog]:
        """Return what is due of the channels that do not pause, each counted to `most`."""

    def wake_up(self, channels: Sequence[str]) -> bool:
        """Take the right to call dispatch, for a second; never where all the channels pause."""

    def hold_wake_up(self, seconds: float) -> None:
        """Keep that right from everybody for so many seconds."""

    def devices(self, user_ids: Sequence[str]) -> list[Device]:
        """Return the devices of these users."""
