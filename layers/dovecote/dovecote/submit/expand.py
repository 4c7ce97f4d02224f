"""Expand submissions in SQL: store each as its HTTP call would, or refuse it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from uuid import UUID

import msgspec
from msgspec.structs import replace

from dovecote.core.claim import Lease
from dovecote.core.errors import ANSWER_SECONDS, StoreError, StoreSlow, StoreUnavailable
from dovecote.core.inbox import PendingSubmission
from dovecote.core.notification import Priority, Stored, Submission
from dovecote.core.ports import Clock, Log, NotInvoked, TimeLimits
from dovecote.core.problems import Failure, Fault, Problem
from dovecote.submit.build_notification import BuildNotification
from dovecote.submit.checking import MOST_SECONDS
from dovecote.submit.ports import Inbox, Submissions
from dovecote.submit.scheduled import ExpandScheduled
from dovecote.submit.submission import parse_pending
from dovecote.submit.submit import check_same, left_to_dispatch

BATCH = 50
"""How many submissions one claim takes that were not attempted before.

Those that were are claimed alone: one that kills its worker uses up no other's attempts.
"""

ROUTES = 50
"""How many scheduled routes of each lane one transaction expands."""

MOST_ATTEMPTS = 8
"""How often a submission is attempted before an unexpected error refuses it, over two hours."""

LEAST_SECONDS = MOST_SECONDS + ANSWER_SECONDS + 1
"""The time that one expansion may take: its checks, the database, and the answer."""

PERSON_SECONDS = 2.5
"""How long an erasure waits for the submissions of its person."""

MOST_OF_PERSON = 1_000
"""How many submissions of one person a call expands."""

WAKE_UP_SECONDS = 0.5
"""How long a batch waits for the call of dispatch."""

FAILED = "The submission could not be expanded."


class Expansion(msgspec.Struct, kw_only=True):
    """The submissions that became notifications or repeated one, were refused, or failed.

    `routes_expanded` counts the scheduled routes that were expanded. `remaining` says that others
    may still be pending.
    """

    routes_expanded: int = 0
    expanded: int = 0
    refused: int = 0
    failed: int = 0
    remaining: bool = False


class Expand(msgspec.Struct, kw_only=True):
    """The use cases that expand pending submissions; `kinds` has the priority of each kind.

    Each submission is stored or refused in a transaction of its own, which deletes it from the
    inbox. So a worker that dies leaves it pending, and of two workers one finds it gone.
    """

    plan: BuildNotification
    submissions: Submissions
    inbox: Inbox
    scheduled: ExpandScheduled
    kinds: Mapping[str, Priority]
    limits: TimeLimits
    wake_up: Callable[[Collection[str], float], None] | None
    next_run: Callable[[int], None]
    clock: Clock
    log: Log

    def due(self, left: Callable[[], float], runs: int) -> Expansion:
        """Expand due submissions and routes, until none is left or the time covers no further one.

        Then call the next of so many runs if something is left. A store that is out of reach ends
        the run.
        """
        run = Expansion(remaining=True)
        try:
            while run.remaining and left() > LEAST_SECONDS:
                run.remaining = False
                channels = self._expand_routes(run) | self._expand_submissions(run, left)
                if channels and self.wake_up is not None:
                    self.wake_up(channels, WAKE_UP_SECONDS)
            if run.remaining and runs > 1:
                self.next_run(runs - 1)
        except (StoreError, NotInvoked) as error:
            self.log.warning("inbox not expanded", error=str(error))
        return run

    def one(self, notification_id: UUID) -> Expansion:
        """Expand one submission if it is pending, also before it is due; raise StoreError.

        Dispatch is not woken up: the caller may be about to cancel the notification.
        """
        run = Expansion()
        self._batch(list(self._pending([notification_id])), run, lambda: True)
        return run

    def of_person(self, *, user_id: str | None, address: str | None) -> Expansion:
        """Expand what may concern a user or an address, and refuse what fails; raise StoreError.

        Dispatch is not woken up: the caller is about to erase the person.
        """
        ends = self.clock() + PERSON_SECONDS
        ids = self.inbox.pending_of(user_id=user_id, address=address, most=MOST_OF_PERSON)
        run = Expansion()
        rows = self._pending(ids)
        while batch := list(islice(rows, BATCH)):
            begun, _ = self._batch(batch, run, lambda: self.clock() < ends, final=True)
            if begun < len(batch):
                run.remaining = True
                break
        run.remaining |= len(ids) == MOST_OF_PERSON
        return run

    def _expand_routes(self, run: Expansion) -> set[str]:
        """Expand a batch of scheduled routes; return the channels of what is due now.

        An error that a smaller batch may avoid is logged. The routes stay due, and submissions are
        expanded all the same.
        """
        for most in (ROUTES, 1):
            try:
                with self.limits.spending(ANSWER_SECONDS):
                    count, channels = self.scheduled(most)
            except Exception as error:
                if isinstance(error, StoreUnavailable) and not isinstance(error, StoreSlow):
                    raise
                self.log.error("routes not expanded", error=_named(error))
            else:
                run.routes_expanded += count
                run.remaining |= bool(count)
                return channels
        return set()

    def _expand_submissions(self, run: Expansion, left: Callable[[], float]) -> set[str]:
        """Expand a batch of submissions; return the channels of what dispatch is to send now."""
        rows = self._claim()
        run.remaining |= bool(rows)
        begun, channels = self._batch(rows, run, lambda: left() > LEAST_SECONDS)
        if begun < len(rows):
            self.inbox.give_back([row.notification_id for row in rows[begun:]])
        return channels

    def _claim(self) -> Sequence[PendingSubmission]:
        fresh = self.inbox.claim(self.kinds, again=False, most=BATCH)
        return fresh or self.inbox.claim(self.kinds, again=True, most=1)

    def _pending(self, notification_ids: Sequence[UUID]) -> Iterator[PendingSubmission]:
        found = (self.inbox.pending(one) for one in notification_ids)
        return (row for row in found if row is not None)

    def _batch(
        self,
        rows: Sequence[PendingSubmission],
        run: Expansion,
        in_time: Callable[[], bool],
        *,
        final: bool = False,
    ) -> tuple[int, set[str]]:
        """Expand submissions while there is time.

        Return how many began, and the channels of what dispatch is to send now.
        """
        channels: set[str] = set()
        begun = 0
        while begun < len(rows) and in_time():
            begun += 1
            channels |= self._expand(rows[begun - 1], run, final=final)
        return begun, channels

    def _expand(self, row: PendingSubmission, run: Expansion, *, final: bool) -> set[str]:
        """Store or refuse a submission; return the channels of what dispatch is to send now.

        Raises StoreUnavailable where the fault is not the submission's.
        """
        try:
            if row.attempts > MOST_ATTEMPTS:  # each attempt killed its worker
                raise Failure(FAILED)
            with self.limits.spending(ANSWER_SECONDS):
                stored = self._stored(row)
        except Problem as problem:
            run.refused += self._refuse(row, problem)
        except Exception as error:
            if isinstance(error, StoreUnavailable) and not isinstance(error, StoreSlow):
                raise
            self._fail(row, error, run, final=final or row.attempts >= MOST_ATTEMPTS)
        else:
            run.expanded += 1
            return set() if stored is None else left_to_dispatch(stored, ())
        return set()

    def _stored(self, row: PendingSubmission) -> Stored | None:
        """Store a submission; return None if it repeats a notification, or is not pending now."""
        submission = parse_pending(row)
        if row.holder not in (None, row.notification_id):
            self._compare(row, submission)
            return None
        planned = self.plan(submission, at_once=0)
        notification = replace(planned, notification_id=row.notification_id, from_inbox=True)
        lease = Lease(token=row.notification_id, seconds=0)  # for no route
        return self.plan.store(notification, lease, at_once=0)

    def _compare(self, row: PendingSubmission, submission: Submission) -> None:
        """Delete a submission whose key a notification holds; raise Mismatch if they differ."""
        holder = self.submissions.find(row.kind, row.idempotency_key)
        if holder is not None:
            check_same(holder, self.submissions.fingerprint(submission))
        self.inbox.take(row.notification_id)

    def _fail(
        self, row: PendingSubmission, error: Exception, run: Expansion, *, final: bool
    ) -> None:
        """Log an unexpected error, and refuse the submission if this attempt was the last."""
        self.log.error(
            "submission not expanded",
            notification_id=str(row.notification_id),
            attempts=row.attempts,
            error=_named(error),
        )
        if final:
            run.refused += self._refuse(row, Failure(FAILED))
        else:
            run.failed += 1

    def _refuse(self, row: PendingSubmission, problem: Problem) -> bool:
        refused = self.inbox.refuse(row.notification_id, _recorded(problem))
        if refused:
            self.log.warning(
                "submission refused",
                notification_id=str(row.notification_id),
                kind=row.kind,
                problem=problem.detail,
                errors=[fault.logged for fault in problem.errors],
            )
        return refused


def _named(error: Exception) -> str:
    """Return what the log may say of an error: the store's words repeat no values."""
    return str(error) if isinstance(error, StoreError) else type(error).__name__


def _recorded(problem: Problem) -> str:
    """Return the document of a problem as it is kept: rules instead of words of the request."""
    faults = [f if f.rule is None else Fault("", f.rule) for f in problem.errors]
    return msgspec.json.encode(type(problem)(problem.detail, faults).document()).decode()
