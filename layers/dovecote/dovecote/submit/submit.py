"""Submit: store a notification with its routes, then try the first of them at once."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from dovecote.core.claim import Lease
from dovecote.core.errors import ANSWER_SECONDS, StoreBusy
from dovecote.core.notification import NewNotification, Notification, Submission
from dovecote.core.ports import Clock, TimeLimits
from dovecote.core.problems import Fault, InProgress, Invalid, Mismatch, TooLarge
from dovecote.core.route import Route
from dovecote.core.stored import DevicesFound, Stored
from dovecote.submit.best_effort import BestEffort
from dovecote.submit.build_notification import BuildNotification
from dovecote.submit.ports import Submissions
from dovecote.submit.wake_up import WakeUp

NOW, SOON = timedelta(), timedelta(seconds=10)
"""How soon a route is due that is left to a run of dispatch: one behind a pause may be later."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a producer: the notification is stored."""

    notification_id: UUID
    kind: str
    created_at: datetime
    routes: Sequence[Route]
    replayed: bool


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the best effort: routes that are tried at once, seconds, and their lease."""

    at_once: int
    seconds: float
    lease_seconds: float


class Submit:
    """Store notifications, each once for its kind and key."""

    def __init__(
        self,
        *,
        plan: BuildNotification,
        submissions: Submissions,
        limits: TimeLimits,
        best_effort: BestEffort,
        wake_up: WakeUp | None,
        clock: Clock,
        new_id: Callable[[], UUID],
        budget: Budget,
    ) -> None:
        self._plan = plan
        self._submissions = submissions
        self._limits = limits
        self._best_effort = best_effort
        self._wake_up = wake_up
        self._clock = clock
        self._new_id = new_id
        self._budget = budget

    def __call__(self, submission: Submission) -> Receipt:
        """Store a submission, or answer as its first one was answered.

        Raises Invalid, Mismatch or InProgress with nothing stored, and StoreError where that is
        not known.
        """
        with self._limits.spending(ANSWER_SECONDS):
            stored = self.store(submission, self.lease(), at_once=self._budget.at_once)
        if isinstance(stored, Receipt):
            return stored
        (receipt,) = self.deliver([stored], self._clock())
        return receipt

    def lease(self, longer: float = 0) -> Lease:
        """Return a lease that outlasts the best effort, which begins within `longer` seconds."""
        return Lease(token=self._new_id(), seconds=self._budget.lease_seconds + longer)

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
        ends = began + self._budget.seconds
        tried = self._best_effort(stored, ends)
        left = (_left(one, tried.get(one.notification_id, ())) for one in stored)
        self._leave(set().union(*left), ends - self._clock())
        return [_receipt(one, tried.get(one.notification_id, ())) for one in stored]

    def _stored(self, submission: Submission, lease: Lease, at_once: int) -> Stored | Notification:
        """Store a submission, or return the notification that has its key."""
        try:
            return self._new(self._plan(submission, at_once=at_once), lease, at_once)
        except (Invalid, TooLarge):
            # A replay is answered whatever the catalog and the devices are by now.
            existing = self._submissions.find(submission.kind, submission.idempotency_key)
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
        existing = self._submissions.find(submission.kind, submission.idempotency_key)
        if existing is None:
            raise InProgress("The first request with this key was rolled back; retry.")
        return existing

    def _with_devices(
        self, notification: NewNotification, lease: Lease, at_once: int
    ) -> Stored | None:
        """Store a notification, with routes to the devices of its users where they have any."""
        users = self._plan.users(notification.submission)
        try:
            return self._submissions.submit(notification, lease, unless_devices_of=users)
        except DevicesFound as found:
            notification = self._plan.with_devices(notification, found.devices, at_once=at_once)
        return self._submissions.submit(notification, lease)

    def _leave(self, channels: Collection[str], seconds: float) -> None:
        """Wake dispatch up for these channels, if there is time for that."""
        if self._wake_up is not None and channels and seconds > 0:
            self._wake_up(channels, seconds)


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
