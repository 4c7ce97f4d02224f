"""The batches of a channel in flight: they are delivered while the next batch is claimed."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from queue import SimpleQueue

MOST = 2
"""One is being delivered; the other waits for the channel's threads, or is being written."""

Work = Callable[[], Counter[str]]
"""Delivers a batch and writes its results; returns the tally."""


class InFlight:
    """Batches that are delivered concurrently, each in a thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._ended: SimpleQueue[Future[Counter[str]]] = SimpleQueue()
        self._count = 0

    def __len__(self) -> int:
        """Return how many batches have begun and are not joined yet."""
        return self._count

    @property
    def is_full(self) -> bool:
        """Return whether another batch must wait."""
        return self._count == MOST

    def begin(self, work: Work) -> None:
        """Begin the work of a batch."""
        self._count += 1
        self._executor.submit(copy_context().run, work).add_done_callback(self._ended.put)

    def join(self) -> Counter[str]:
        """Wait for the first batch that ends; return its tally, or raise its exception."""
        ended = self._ended.get()
        self._count -= 1
        return ended.result()
