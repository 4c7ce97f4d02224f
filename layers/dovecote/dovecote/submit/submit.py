"""Submit: store notifications with their routes, then try the first of them at once."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from dovecote.core.claim import Lease
from dovecote.core.errors import ANSWER_SECONDS, StoreBusy, StoreSlow, StoreUnavailable
from dovecote.core.notification import (
    NewNotification,
    Notification,
    Stored,
    Submission,
)
from dovecote.core.ports import Clock, Log, TimeLimits
from dovecote.core.problems import (
    Failure,
    Fault,
    InProgress,
    Invalid,
    Mismatch,
    Problem,
    TooLarge,
    Unavailable,
)
from dovecote.core.route import Route
from dovecote.submit.best_effort import BestEffort
from dovecote.submit.build_notification import BuildNotification
from dovecote.submit.checking import MOST_SECONDS
from dovecote.submit.ports import Submissions
from dovecote.submit.wake_up import WakeUp

STORING_SECONDS = 10.0
"""How long notifications are stored: this and the best effort after it fit a function's 25 s."""

HEAVY_BYTES = 256 * 1024
"""A notification with fewer bytes to check keeps its place in the batch."""

UNREACHABLE = "The database is out of reach; retry later."
LATE = "The batch ran out of time; retry later."

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


class _Remaining(msgspec.Struct, kw_only=True):
    """The resources left for a batch: routes to try at once, time, and a reachable database."""

    lease: Lease
    at_once: int
    ends: float
    unreachable: bool = False


class Submit:
    """Store notifications, each once for its kind and key."""

    def __init__(
        self,
        *,
        plan: BuildNotification,
        submissions: Submissions,
        limits: TimeLimits,
        expand: Callable[[UUID], object],
        best_effort: BestEffort,
        wake_up: WakeUp | None,
        clock: Clock,
        log: Log,
        new_id: Callable[[], UUID],
        budget: Budget,
    ) -> None:
        self._plan = plan
        self._submissions = submissions
        self._limits = limits
        self._expand = expand
        self._best_effort = best_effort
        self._wake_up = wake_up
        self._clock = clock
        self._log = log
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
        if isinstance(stored, Notification):
            check_same(stored, self._submissions.fingerprint(submission))
            return _replayed(stored)
        return stored

    def deliver(self, stored: Sequence[Stored], began: float) -> list[Receipt]:
        """Try what was claimed, leave to dispatch what is due beyond it, and return the receipts.

        All of it takes the budget of one best effort, which began on the clock.
        """
        ends = began + self._budget.seconds
        tried = self._best_effort(stored, ends)
        left = (left_to_dispatch(one, tried.get(one.notification_id, ())) for one in stored)
        self._leave(set().union(*left), ends - self._clock())
        return [_receipt(one, tried.get(one.notification_id, ())) for one in stored]

    def _stored(self, submission: Submission, lease: Lease, at_once: int) -> Stored | Notification:
        """Store a submission, or return the notification that has its key."""
        try:
            return self._new(self._plan(submission, at_once=at_once), lease, at_once)
        except (Invalid, TooLarge):
            # A replay is answered whatever the catalog and the devices are by now.
            existing = self._holder(submission)
            if existing is None:
                raise
            return existing

    def _new(
        self, notification: NewNotification, lease: Lease, at_once: int
    ) -> Stored | Notification:
        try:
            stored = self._plan.store(notification, lease, at_once=at_once)
        except StoreBusy:
            raise InProgress("The first request with this key is still being stored.") from None
        if stored is not None:
            return stored
        existing = self._holder(notification.submission)
        if existing is None:
            raise InProgress("The first request with this key was rolled back; retry.")
        return existing

    def _holder(self, submission: Submission) -> Notification | None:
        """Return the expanded notification that holds the key; raise InProgress if pending."""
        kind, key = submission.kind, submission.idempotency_key
        found = self._submissions.find(kind, key)
        if found is not None and not found.routes:
            self._expand(found.notification_id)
            found = self._submissions.find(kind, key)
        if found is not None and not found.routes:
            raise InProgress("The first submission with this key could not be expanded yet.")
        return found

    def _leave(self, channels: Collection[str], seconds: float) -> None:
        """Wake dispatch up for these channels, if there is time for that."""
        if self._wake_up is not None and channels and seconds > 0:
            self._wake_up(channels, seconds)

    def batch(self, items: Sequence[Submission | Problem]) -> list[Receipt | Problem]:
        """Store notifications, then try the first routes of all of them at once.

        Return the receipt or problem of each submission; problems in `items` are kept. The best
        effort and the call of dispatch are bounded as for one submission.
        """
        remaining = _Remaining(
            lease=self.lease(STORING_SECONDS + MOST_SECONDS),
            at_once=self._budget.at_once,
            ends=self._clock() + STORING_SECONDS,
        )
        results: dict[int, Stored | Receipt | Problem] = {}
        for place in _lightest_first(items):
            item = items[place]
            results[place] = (
                item if isinstance(item, Problem) else self._or_problem(item, remaining)
            )
        in_order = [results[place] for place in range(len(items))]
        stored = [result for result in in_order if isinstance(result, Stored)]
        receipts = iter(self.deliver(stored, min(remaining.ends, self._clock())))
        return [next(receipts) if isinstance(one, Stored) else one for one in in_order]

    def _or_problem(
        self, submission: Submission, remaining: _Remaining
    ) -> Stored | Receipt | Problem:
        """Store a submission with what remains; return its problem if it is not stored.

        An unreachable database gets no further requests; one that ended a statement gets more.
        """
        left = remaining.ends - self._clock()
        if remaining.unreachable or left <= 0:
            return Unavailable(UNREACHABLE if remaining.unreachable else LATE)
        try:
            with self._limits.spending(min(left, ANSWER_SECONDS)):
                stored = self.store(submission, remaining.lease, at_once=remaining.at_once)
        except Problem as problem:
            return problem
        except StoreUnavailable as error:
            self._log.error("database out of reach", error=str(error))
            remaining.unreachable = not isinstance(error, StoreSlow)
            return Unavailable(UNREACHABLE)
        except Exception as error:  # noqa: BLE001 - it must not affect the others
            self._log.error("notification not stored", error=type(error).__name__)
            return Failure("The notification could not be stored.")
        if isinstance(stored, Stored):
            remaining.at_once -= len(stored.claims)
        return stored


def left_to_dispatch(stored: Stored, tried: Sequence[Route]) -> set[str]:
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


def check_same(existing: Notification, fingerprint: bytes) -> None:
    """Raise Mismatch if the notification that has a key has another fingerprint."""
    if existing.fingerprint != fingerprint:
        raise Mismatch(
            "The idempotency key was already used with a different body.",
            [Fault("/idempotency_key", "belongs to another notification of this kind")],
        )


def _replayed(existing: Notification) -> Receipt:
    return Receipt(
        notification_id=existing.notification_id,
        kind=existing.kind,
        created_at=existing.created_at,
        routes=existing.routes,
        replayed=True,
    )


def _lightest_first(items: Sequence[Submission | Problem]) -> list[int]:
    """Return the places of a batch in the order in which they are stored.

    A notification that takes long to check must not use up the time of the others. Light ones, and
    those with the same key, keep their order.
    """
    weights: dict[tuple[str, str], int] = {}
    for item in items:
        if isinstance(item, Submission):
            key = (item.kind, item.idempotency_key)
            weights[key] = max(weights.get(key, 0), _weight(item))

    def weight(place: int) -> int:
        item = items[place]
        return weights[item.kind, item.idempotency_key] if isinstance(item, Submission) else 0

    return sorted(range(len(items)), key=weight)


def _weight(submission: Submission) -> int:
    """Return how much of a payload may be checked for recipients with data; 0 for little."""
    with_data = sum(bool(recipient.data) for recipient in submission.recipients)
    return len(submission.payload_text) * with_data // HEAVY_BYTES
