"""Submit: store a notification with its routes, then try the first of them at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dovecote.deliver import Deliver
from dovecote.finalise import Finaliser
from dovecote.model import Claim, Lease, NewNotification, Notification, Route, Submission
from dovecote.plan import Plan
from dovecote.ports import Clock, Log, Store, StoreBusy
from dovecote.problems import Fault, InProgress, Invalid, Mismatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a producer is told: the notification is stored."""

    notification_id: UUID
    kind: str
    created_at: datetime
    routes: Sequence[Route]
    replayed: bool


class Submit:
    """Store notifications, each once for its kind and key."""

    def __init__(
        self,
        *,
        plan: Plan,
        store: Store,
        deliver: Deliver,
        finaliser: Finaliser,
        clock: Clock,
        log: Log,
        new_id: Callable[[], UUID],
        budget_seconds: float,
        lease_seconds: float,
    ) -> None:
        self._plan = plan
        self._store = store
        self._deliver = deliver
        self._finaliser = finaliser
        self._clock = clock
        self._log = log
        self._new_id = new_id
        self._budget_seconds = budget_seconds
        self._lease_seconds = lease_seconds

    def __call__(self, submission: Submission) -> Receipt:
        """Store a submission, or answer as its first one was answered.

        Raises Invalid, Mismatch or InProgress with nothing stored, and StoreError where that is
        not known.
        """
        try:
            notification = self._plan(submission)
        except Invalid:
            # A replay is answered whatever the catalog says by now.
            existing = self._store.find(submission.kind, submission.idempotency_key)
            if existing is None:
                raise
            return _replayed(existing, submission)
        return self._stored(notification)

    def _stored(self, notification: NewNotification) -> Receipt:
        submission = notification.submission
        lease = Lease(token=self._new_id(), seconds=self._lease_seconds)
        try:
            stored = self._store.submit(notification, lease)
        except StoreBusy:
            raise InProgress("The first request with this key is still being stored.") from None
        if stored is None:
            existing = self._store.find(submission.kind, submission.idempotency_key)
            if existing is None:
                raise InProgress("The first request with this key has just been withdrawn.")
            return _replayed(existing, submission)
        return Receipt(
            notification_id=stored.notification_id,
            kind=submission.kind,
            created_at=stored.created_at,
            routes=self._tried(stored.notification_id, stored.claims) or stored.routes,
            replayed=False,
        )

    def _tried(self, notification_id: UUID, claims: Sequence[Claim]) -> Sequence[Route]:
        """Try the claimed routes; return how all stand then, or nothing where that is not known.

        The producer never sees a failure: the routes are stored, and dispatch will retry them.
        """
        if not claims:
            return ()
        try:
            deadline = self._clock() + self._budget_seconds
            results = self._deliver(claims, deadline=deadline)
            self._finaliser.settle(self._store, results, until=deadline)
            notification = self._store.notification(notification_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is 202
            self._log.debug("best effort failed", error=type(error).__name__)
            return ()
        return () if notification is None else notification.routes


def _replayed(existing: Notification, submission: Submission) -> Receipt:
    if existing.fingerprint != submission.fingerprint:
        raise Mismatch(
            "The idempotency key was used before, with another body.",
            [Fault("/idempotency_key", "belongs to another notification of this kind")],
        )
    return Receipt(
        notification_id=existing.notification_id,
        kind=existing.kind,
        created_at=existing.created_at,
        routes=existing.routes,
        replayed=True,
    )
