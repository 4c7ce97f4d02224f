"""The batches of a channel that are under way, while the next one is claimed."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from queue import SimpleQueue

MOST = 2
"""One is being delivered; the other waits for the channel's threads, or is being written down."""

Work = Callable[[], Counter[str]]
"""Delivers a batch and writes down what became of it; returns the tally."""


class InFlight:
    """Batches that are delivered side by side, each in a thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._over: SimpleQueue[Future[Counter[str]]] = SimpleQueue()
        self._under_way = 0

    def __len__(self) -> int:
        """Return how many have begun and are not taken down yet."""
        return self._under_way

    def begin(self, flight: Work) -> None:
        """Begin a flight."""
        self._under_way += 1
        self._executor.submit(copy_context().run, flight).add_done_callback(self._over.put)

    def join(self) -> Counter[str]:
        """Wait for a flight that is over, and return its tally; raise what it raised."""
        over = self._over.get()
        self._under_way -= 1
        return over.result()
