"""Submit many notifications at once, each for itself: one that is no good hurts no other."""

from collections.abc import Sequence

from msgspec import Struct

from dovecote.core.claim import Lease
from dovecote.core.errors import ANSWER_SECONDS, StoreSlow, StoreUnavailable
from dovecote.core.notification import Submission
from dovecote.core.ports import Clock, Log
from dovecote.core.problems import Failure, Problem, Unavailable
from dovecote.core.stored import Stored
from dovecote.dispatch.ports import Store
from dovecote.submit.checking import MOST_SECONDS
from dovecote.submit.submit import Receipt, Submit

STORING_SECONDS = 10.0
"""How long notifications are stored: with the best effort after it, a function's 25 s cover it."""

HEAVY_BYTES = 256 * 1024
"""A notification with fewer bytes to check keeps its place in the batch."""

AWAY = "The database is out of reach; retry later."
LATE = "The batch ran out of time; retry later."


class _Room(Struct, kw_only=True):
    """What there is for the rest of a batch: routes to be tried at once, time, and a database."""

    lease: Lease
    at_once: int
    ends: float
    away: bool = False


class SubmitBatch:
    """Store notifications, then try the first routes of all of them at once."""

    def __init__(
        self, *, submit: Submit, store: Store, clock: Clock, log: Log, at_once: int
    ) -> None:
        self._submit = submit
        self._store = store
        self._clock = clock
        self._log = log
        self._at_once = at_once

    def __call__(self, items: Sequence[Submission | Problem]) -> list[Receipt | Problem]:
        """Return the receipt of each submission, or its problem; a problem stays what it is.

        What is tried at once, how long that takes and the call of dispatch are those of one
        submission.
        """
        room = _Room(
            lease=self._submit.lease(STORING_SECONDS + MOST_SECONDS),
            at_once=self._at_once,
            ends=self._clock() + STORING_SECONDS,
        )
        results: dict[int, Stored | Receipt | Problem] = {}
        for place in _lightest_first(items):
            item = items[place]
            results[place] = item if isinstance(item, Problem) else self._stored(item, room)
        in_order = [results[place] for place in range(len(items))]
        stored = [result for result in in_order if isinstance(result, Stored)]
        receipts = iter(self._submit.deliver(stored, min(room.ends, self._clock())))
        return [next(receipts) if isinstance(one, Stored) else one for one in in_order]

    def _stored(self, submission: Submission, room: _Room) -> Stored | Receipt | Problem:
        """Store a submission, in the room that is left; return its problem where it is not.

        A database that is out of reach is not asked for the others; one that ended a statement is.
        """
        left = room.ends - self._clock()
        if room.away or left <= 0:
            return Unavailable(AWAY if room.away else LATE)
        try:
            with self._store.spending(min(left, ANSWER_SECONDS)):
                stored = self._submit.store(submission, room.lease, at_once=room.at_once)
        except Problem as problem:
            return problem
        except StoreUnavailable as error:
            self._log.error("database out of reach", error=str(error))
            room.away = not isinstance(error, StoreSlow)
            return Unavailable(AWAY)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not to hurt the others
            self._log.error("notification not stored", error=type(error).__name__)
            return Failure("The notification could not be stored.")
        if isinstance(stored, Stored):
            room.at_once -= len(stored.claims)
        return stored


def _lightest_first(items: Sequence[Submission | Problem]) -> list[int]:
    """Return the places of a batch in the order in which they are stored.

    One that takes long to check must not use up the time of the others. The others, and the same
    key twice, keep their order.
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
