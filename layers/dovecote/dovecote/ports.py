"""What the use cases ask of the world around them: store, channels, clock and log.

StoreError
  StoreUnavailable   out of reach, or it did not answer in time
    StoreSlow        one statement took too long; it may take others
  StoreBusy          another transaction holds what this one waits for
  StoreFailed        it refused the statement; the transaction is rolled back
"""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import msgspec

from dovecote.gate import Gate
from dovecote.model import (
    Backlog,
    Cancellation,
    Claim,
    Congested,
    Device,
    Feedback,
    Gauges,
    Lease,
    NewNotification,
    Notification,
    Outcome,
    Pause,
    Recipient,
    Result,
    Route,
    Slots,
    Standing,
    Submission,
)
from dovecote.transitions import DeadLetter, Deferral, Doubt, Retry

if TYPE_CHECKING:  # few functions check a payload
    from dovecote.catalog import Kind

ANSWER_SECONDS = 4.5
"""How long a request may wait for the store in all: one out of reach is a 503 within 5 s."""


class StoreError(Exception):
    """The store could not do what it was asked."""


class StoreUnavailable(StoreError):
    """The database is out of reach, or did not answer in time."""


class StoreSlow(StoreUnavailable):
    """The database ended a statement that took too long."""


class StoreBusy(StoreError):
    """Another transaction holds what this one waits for."""


class StoreFailed(StoreError):
    """The database refused the statement; the transaction is rolled back."""


class DevicesFound(Exception):
    """Users have devices, which the routes of a notification do not go to yet."""

    def __init__(self, devices: Sequence[Device]) -> None:
        super().__init__()
        self.devices = devices


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that has just been stored; `claims` are for the caller to deliver."""

    notification_id: UUID
    kind: str
    created_at: datetime
    routes: Sequence[Route]
    claims: Sequence[Claim]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How many routes of a lane were claimed, and when the last of them was due."""

    count: int
    until: float


class Claimed(Sequence[Claim]):
    """Claimed routes; who first looks at one decodes them all."""

    @property
    @abstractmethod
    def by_lane(self) -> Mapping[int, Part]:
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

    def bury_device(self, endpoint: str, route_id: UUID) -> None:
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
    ) -> tuple[Claimed, Standing]:
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

    def bury_device(self, endpoint: str, told_at: datetime) -> bool:
        """Mark a device dead that the provider told of; return whether that was news."""

    def stand(self, channel: str) -> Standing:
        """Return how a channel and its resources stand."""

    def reserve(self, channel: str, wanted: int, horizon: float) -> Slots:
        """Reserve the next sends of a channel with a rate that begin within `horizon` seconds."""

    def release_slots(self, channel: str, slots: Slots, unused: int) -> None:
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

    def try_resource(self, resource: str, seconds: float) -> bool:
        """Take the right to probe a resource after its pause."""

    def leave_untried(self, resource: str) -> None:
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

    def strain(self, channel: str, *, unreached: int, unanswered: Sequence[UUID]) -> None:
        """Count what failed in a row on a channel."""

    def gauges(self) -> Gauges:
        """Return what alarms look at."""

    def backlog(self, most: int) -> list[Backlog]:
        """Return what is due of the channels that do not pause, each counted to `most`."""

    def hand_over(self, channels: Sequence[str]) -> bool:
        """Take the right to call dispatch, for a second; never where all the channels pause."""

    def keep_handover(self, seconds: float) -> None:
        """Keep that right from everybody for so many seconds."""

    def devices(self, user_ids: Sequence[str]) -> list[Device]:
        """Return the devices of these users."""


Early = Callable[[Sequence[Result]], None]
"""Takes results while others of the batch are under way; it is called about once a second even
where there are none, and raises nothing."""


class Channel(Protocol):
    """A way out: a batch of claims in, an outcome for each out.

    A claim that has none when the time is over is left out: its lease runs out by itself.
    """

    def late(self) -> list[Result]:
        """Return what earlier claims that were left out came to since, each once."""

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return what a claim is sent through: the channel, and its identity or application."""

    def deliver(
        self,
        claims: Sequence[Claim],
        begin_before: float,
        slots: Slots,
        gate: Gate,
        early: Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Deliver claims in their slots, as the gate lets them; return what `early` did not take.

        Begins no send after `begin_before` on the monotonic clock.
        """


class Oversized(msgspec.Struct, frozen=True):
    """A push notification that does not fit with the ids that it was measured with."""

    detail: str


class Preview(Protocol):
    """Tries whether the messages of a kind can be made, before anything is stored."""

    def texts(self, kind: "Kind", locale: str | None) -> Hashable:
        """Return which texts of a kind a locale has."""

    def reads(self, kind: "Kind", locale: str | None) -> frozenset[str]:
        """Return the variables that this reads in full to try a kind's messages."""

    def fault(
        self, kind: "Kind", submission: Submission, recipient: Recipient
    ) -> str | Oversized | None:
        """Return why a recipient's messages cannot be made, or None."""


class ProviderUnavailable(Exception):
    """The provider is out of reach; nothing is known to have changed there."""


class TokenRefused(Exception):
    """The provider does not take a device's token, or has no application for its platform."""


class Endpoints(Protocol):
    """The provider's side of a device."""

    def create(self, platform: str, token: str) -> str:
        """Return the endpoint of a token, enabled; raise TokenRefused or ProviderUnavailable."""

    def enable(self, endpoint: str, token: str) -> bool:
        """Enable an endpoint; return False where it is gone. Raises ProviderUnavailable."""

    def delete(self, endpoint: str) -> None:
        """Delete an endpoint; one that is gone is no error. Raises ProviderUnavailable."""


class NotInvoked(Exception):
    """The function was not called, or nobody knows that it was."""


class Invoke(Protocol):
    """Calls dispatch, and does not wait for what it does."""

    def __call__(self, source: str, /) -> None:
        """Begin a run, which is told what it comes from; raise NotInvoked."""


class Span(Protocol):
    """Opens a span by name that continues a traceparent, or is linked to several."""

    def __call__(self, name: str, /, *traceparents: str | None) -> AbstractContextManager[None]:
        """Return what runs a block in the span."""


class Clock(Protocol):
    """A clock that only goes forward, in seconds; what is due is the database's to say."""

    def __call__(self) -> float:
        """Return the seconds since some moment."""


class Sleep(Protocol):
    """Waits for so many seconds."""

    def __call__(self, seconds: float, /) -> None:
        """Wait."""


class Log(Protocol):
    """A structured log: a message and its fields."""

    def debug(self, message: str, /, **fields: Any) -> None:
        """Log for someone who looks closely."""

    def info(self, message: str, /, **fields: Any) -> None:
        """Log what happened."""

    def warning(self, message: str, /, **fields: Any) -> None:
        """Log what somebody should look at."""

    def error(self, message: str, /, **fields: Any) -> None:
        """Log what failed."""
