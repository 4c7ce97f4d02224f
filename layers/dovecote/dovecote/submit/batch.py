"""Submit many notifications at once; the problem of one does not affect the others."""

from collections.abc import Sequence

from msgspec import Struct

from dovecote.core.claim import Lease
from dovecote.core.errors import ANSWER_SECONDS, StoreSlow, StoreUnavailable
from dovecote.core.notification import Submission
from dovecote.core.ports import Clock, Log, TimeLimits
from dovecote.core.problems import Failure, Problem, Unavailable
from dovecote.core.stored import Stored
from dovecote.submit.submit import Receipt, Submit
from dovecote.submit.work_limit import MOST_SECONDS

STORING_SECONDS = 10.0
"""How long notifications are stored: this and the best effort after it fit a function's 25 s."""

HEAVY_BYTES = 256 * 1024
"""A notification with fewer bytes to check keeps its place in the batch."""

UNREACHABLE = "The database is out of reach; retry later."
LATE = "The batch ran out of time; retry later."


class _Remaining(Struct, kw_only=True):
    """The resources left for a batch: routes to try at once, time, and a reachable database."""

    lease: Lease
    at_once: int
    ends: float
    unreachable: bool = False


class SubmitBatch:
    """Store notifications, then try the first routes of all of them at once."""

    def __init__(
        self, *, submit: Submit, limits: TimeLimits, clock: Clock, log: Log, at_once: int
    ) -> None:
        self._submit = submit
        self._limits = limits
        self._clock = clock
        self._log = log
        self._at_once = at_once

    def __call__(self, items: Sequence[Submission | Problem]) -> list[Receipt | Problem]:
        """Return the receipt or problem of each submission; problems in `items` are kept.

        The best effort and the call of dispatch are bounded as for one submission.
        """
        remaining = _Remaining(
            lease=self._submit.lease(STORING_SECONDS + MOST_SECONDS),
            at_once=self._at_once,
            ends=self._clock() + STORING_SECONDS,
        )
        results: dict[int, Stored | Receipt | Problem] = {}
        for place in _lightest_first(items):
            item = items[place]
            results[place] = item if isinstance(item, Problem) else self._stored(item, remaining)
        in_order = [results[place] for place in range(len(items))]
        stored = [result for result in in_order if isinstance(result, Stored)]
        receipts = iter(self._submit.deliver(stored, min(remaining.ends, self._clock())))
        return [next(receipts) if isinstance(one, Stored) else one for one in in_order]

    def _stored(self, submission: Submission, remaining: _Remaining) -> Stored | Receipt | Problem:
        """Store a submission with what remains; return its problem if it is not stored.

        An unreachable database gets no further requests; one that ended a statement gets more.
        """
        left = remaining.ends - self._clock()
        if remaining.unreachable or left <= 0:
            return Unavailable(UNREACHABLE if remaining.unreachable else LATE)
        try:
            with self._limits.spending(min(left, ANSWER_SECONDS)):
                stored = self._submit.store(submission, remaining.lease, at_once=remaining.at_once)
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
