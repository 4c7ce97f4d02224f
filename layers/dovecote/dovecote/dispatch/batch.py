"""The batches of a channel's worker: those in flight, their context, and their answers."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from queue import SimpleQueue

from msgspec import Struct, field

from dovecote.core.ports import Clock
from dovecote.core.transitions import THROTTLED_JITTER
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.services import RECENT_SECONDS, THROTTLED_SECONDS

MOST = 2
"""One is being delivered; the other waits for the channel's threads, or is being written."""

Work = Callable[[], Counter[str]]
"""Delivers a batch and writes its results; returns the tally."""


class Answers(Struct):
    """The answers to a worker's batches, which matter for its next ones. Thread-safe.

    `stopped` has the resources that answers stopped; batches share it until the store has the
    pauses. Until `throttled_until` on the clock throttled routes are due soon.
    """

    clock: Clock
    accepted_at: dict[str, float] = {}
    stopped: set[str] = set()
    throttled_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def recently_accepted(self) -> frozenset[str]:
        """Return the resources through which a route was accepted a few seconds ago."""
        now = self.clock()
        with self.lock:
            accepted_at = self.accepted_at.items()
            return frozenset(one for one, at in accepted_at if now - at < RECENT_SECONDS)

    def delivered(self, breaker: CircuitBreaker) -> None:
        """Learn from a batch that was delivered."""
        with self.lock:
            self.accepted_at |= dict.fromkeys(breaker.accepted, self.clock())

    def written(self, breaker: CircuitBreaker) -> None:
        """Learn from a batch whose results and pauses are in the store."""
        longest = breaker.retry_after * (1 + THROTTLED_JITTER)
        with self.lock:
            if longest <= THROTTLED_SECONDS:
                self.throttled_until = max(self.throttled_until, self.clock() + longest)
            if breaker.has_opened:
                self.stopped = set()


class BatchContext(Struct, frozen=True, kw_only=True):
    """The context in which a batch is claimed; the batch ends at `deadline` on the clock."""

    deadline: float
    lapsed_first: bool
    stopped: set[str]
    recently_accepted: frozenset[str]


class InFlight(Struct):
    """Batches that are delivered concurrently, each in a thread."""

    executor: Executor
    ended: SimpleQueue[Future[Counter[str]]] = field(default_factory=SimpleQueue)
    count: int = 0

    def __len__(self) -> int:
        """Return how many batches have begun and are not joined yet."""
        return self.count

    @property
    def is_full(self) -> bool:
        """Return whether another batch must wait."""
        return self.count == MOST

    def begin(self, work: Work) -> None:
        """Begin the work of a batch."""
        self.count += 1
        self.executor.submit(copy_context().run, work).add_done_callback(self.ended.put)

    def join(self) -> Counter[str]:
        """Wait for the first batch that ends; return its tally, or raise its exception."""
        future = self.ended.get()
        self.count -= 1
        return future.result()
