"""Submit: store a notification with its routes, then try the first of them at once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec.structs import replace

from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim, Lease
from dovecote.core.errors import ANSWER_SECONDS, StoreBusy
from dovecote.core.notification import NewNotification, Notification, Submission
from dovecote.core.ports import Clock, Log
from dovecote.core.problems import Fault, InProgress, Invalid, Mismatch, TooLarge
from dovecote.core.route import Route
from dovecote.core.stored import DevicesFound, Stored
from dovecote.dispatch.deliver import Deliver, Delivery
from dovecote.dispatch.early_writer import EarlyWriter
from dovecote.dispatch.finalise import Finaliser
from dovecote.dispatch.ports import Store
from dovecote.submit.build_notification import BuildNotification
from dovecote.submit.wake_up import WakeUp

SETTLE_SECONDS = 3.0
"""What the database may take of the best effort beyond its budget."""

AT_ONCE_SECONDS = 0.2
"""How soon a rate must have room for a send that is tried at once; else dispatch will send it."""


NOW, SOON = timedelta(), timedelta(seconds=10)
"""How soon a route is due that is left to a run of dispatch: one behind a pause may be later."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a producer: the notification is stored."""

    notification_id: UUID
    kind: str
    created_at: datetime
    routes: Sequence[Route]
    replayed: bool


class BestEffort(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried as soon as it is stored: so many routes, so long, under a lease beyond that."""

    at_once: int
    budget_seconds: float
    lease_seconds: float


class Submit:
    """Store notifications, each once for its kind and key."""

    def __init__(
        self,
        *,
        plan: BuildNotification,
        store: Store,
        deliver: Deliver,
        finaliser: Finaliser,
        wake_up: WakeUp | None,
        clock: Clock,
        log: Log,
        new_id: Callable[[], UUID],
        best_effort: BestEffort,
    ) -> None:
        self._plan = plan
        self._store = store
        self._deliver = deliver
        self._finaliser = finaliser
        self._hand_over = wake_up
        self._clock = clock
        self._log = log
        self._new_id = new_id
        self._best_effort = best_effort

    def __call__(self, submission: Submission) -> Receipt:
        """Store a submission, or answer as its first one was answered.

        Raises Invalid, Mismatch or InProgress with nothing stored, and StoreError where that is
        not known.
        """
        with self._store.spending(ANSWER_SECONDS):
            stored = self.store(submission, self.lease(), at_once=self._best_effort.at_once)
        if isinstance(stored, Receipt):
            return stored
        (receipt,) = self.deliver([stored], self._clock())
        return receipt

    def lease(self, longer: float = 0) -> Lease:
        """Return a lease that outlasts the best effort, which begins within `longer` seconds."""
        return Lease(token=self._new_id(), seconds=self._best_effort.lease_seconds + longer)

    def store(self, submission: Submission, lease: Lease, *, at_once: int) -> Stored | Receipt:
        """Store a submission and claim its first routes, or return what its first one is told.

        Raises as a call does.
        """
        stored = self._stored(submission, lease, at_once)
        return _replayed(stored, submission) if isinstance(stored, Notification) else stored

    def deliver(self, stored: Sequence[Stored], began: float) -> list[Receipt]:
        """Try what was claimed, leave to dispatch what is due beyond it, and return the receipts.

        All of it takes the budget of one best effort, which began on the clock.
        """
        ends = began + self._best_effort.budget_seconds
        tried = self._tried(stored, ends)
        left = (_left(one, tried.get(one.notification_id, ())) for one in stored)
        self._leave(set().union(*left), ends - self._clock())
        return [_receipt(one, tried.get(one.notification_id, ())) for one in stored]

    def _stored(self, submission: Submission, lease: Lease, at_once: int) -> Stored | Notification:
        """Store a submission, or return the notification that has its key."""
        try:
            return self._new(self._plan(submission, at_once=at_once), lease, at_once)
        except (Invalid, TooLarge):
            # A replay is answered whatever the catalog and the devices are by now.
            existing = self._store.find(submission.kind, submission.idempotency_key)
            if existing is None:
                raise
            return existing

    def _new(
        self, notification: NewNotification, lease: Lease, at_once: int
    ) -> Stored | Notification:
        submission = notification.submission
        try:
            stored = self._with_devices(notification, lease, at_once)
        except StoreBusy:
            raise InProgress("The first request with this key is still being stored.") from None
        if stored is not None:
            return stored
        existing = self._store.find(submission.kind, submission.idempotency_key)
        if existing is None:
            raise InProgress("The first request with this key was rolled back; retry.")
        return existing

    def _with_devices(
        self, notification: NewNotification, lease: Lease, at_once: int
    ) -> Stored | None:
        """Store a notification, with routes to the devices of its users where they have any."""
        users = self._plan.users(notification.submission)
        try:
            return self._store.submit(notification, lease, unless_devices_of=users)
        except DevicesFound as found:
            notification = self._plan.with_devices(notification, found.devices, at_once=at_once)
        return self._store.submit(notification, lease)

    def _tried(self, stored: Sequence[Stored], ends: float) -> Mapping[UUID, Sequence[Route]]:
        """Try the claimed routes; return how all of their notifications stand then.

        Nothing where that is not known. The producer never sees a failure: the routes are stored,
        and dispatch will retry them.
        """
        claims = [claim for one in stored for claim in one.claims]
        if not claims:
            return {}
        try:
            with self._store.within(ends - self._clock() + SETTLE_SECONDS):
                self._try(claims, ends)
                read = [self._store.notification(o.notification_id) for o in stored if o.claims]
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is 202
            self._log.debug("best effort failed", error=type(error).__name__)
            return {}
        return {one.notification_id: one.routes for one in read if one is not None}

    def _try(self, claims: Sequence[Claim], deadline: float) -> None:
        """Deliver claims, the channels side by side, and write down what became of them."""
        by_channel: dict[str, list[Claim]] = {}
        for claim in claims:
            by_channel.setdefault(claim.channel, []).append(claim)
        batches = [
            (batch, *self._standing(channel, len(batch)))
            for channel, batch in sorted(by_channel.items())
        ]

        early = EarlyWriter(finaliser=self._finaliser, store=self._store, clock=self._clock)

        def deliver(batch: tuple[Sequence[Claim], ChannelState, SendSlots]) -> Delivery:
            claims, channel_state, slots = batch
            with self._store.within(deadline - self._clock() + SETTLE_SECONDS):
                return self._deliver(
                    claims,
                    channel_state=channel_state,
                    slots=slots,
                    deadline=deadline,
                    settle=early,
                )

        with ThreadPoolExecutor(max_workers=len(batches)) as executor:
            first, *others = executor.map(deliver, batches)
        for delivery in (early.complete(first), *others):
            self._finaliser.conclude(self._store, delivery, until=deadline)

    def _leave(self, channels: Collection[str], seconds: float) -> None:
        """Hand over to dispatch what is left, where there is time for that."""
        if self._hand_over is not None and channels and seconds > 0:
            self._hand_over(channels, seconds)

    def _standing(self, channel: str, wanted: int) -> tuple[ChannelState, SendSlots]:
        """Return how a channel stands, and the sends that its rate has room for at once.

        What has paused is dispatch's to try again.
        """
        channel_state = self._store.channel_state(channel)
        channel_state = replace(
            channel_state,
            paused=channel_state.paused | channel_state.recovering,
            recovering=frozenset(),
        )
        if not channel_state.is_paced or channel in channel_state.paused:
            return channel_state, SendSlots(room=wanted)
        return channel_state, self._store.reserve(channel, wanted, AT_ONCE_SECONDS)


def _left(stored: Stored, tried: Sequence[Route]) -> set[str]:
    """Return the channels of what was due when it was stored, and dispatch could take now or soon.

    A failure is due later. A route that was throttled, or waits for a short pause, counts: the run
    waits for it.
    Where the best effort failed as a whole, its leases still stand.
    """
    held = set() if tried else {claim.route_id for claim in stored.claims}
    return {
        route.channel
        for route in tried or stored.routes
        if route.next_attempt_at is not None
        and route.next_attempt_at <= stored.created_at + (SOON if route.waiting_for else NOW)
        and route.route_id not in held
    }


def _receipt(stored: Stored, tried: Sequence[Route]) -> Receipt:
    return Receipt(
        notification_id=stored.notification_id,
        kind=stored.kind,
        created_at=stored.created_at,
        routes=tried or stored.routes,
        replayed=False,
    )


def _replayed(existing: Notification, submission: Submission) -> Receipt:
    if existing.fingerprint != submission.fingerprint:
        raise Mismatch(
            "The idempotency key was already used with a different body.",
            [Fault("/idempotency_key", "belongs to another notification of this kind")],
        )
    return Receipt(
        notification_id=existing.notification_id,
        kind=existing.kind,
        created_at=existing.created_at,
        routes=existing.routes,
        replayed=True,
    )
