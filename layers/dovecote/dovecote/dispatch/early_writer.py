"""Write results during the delivery of their batch."""

import math
import threading
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from dovecote.core.errors import StoreError
from dovecote.core.outcome import Result
from dovecote.core.ports import Clock
from dovecote.dispatch.deliver import Delivery
from dovecote.dispatch.finalise import PAUSE_SECONDS, Finaliser, parts
from dovecote.dispatch.ports import ResultStore


class EarlyWriter:
    """Write the results of one batch during its delivery.

    Keeps results that the store refuses, and retries them after a pause at the earliest. Threads
    that share a writer take turns. `tally` counts the routes that were written.
    """

    def __init__(self, *, finaliser: Finaliser, store: ResultStore, clock: Clock) -> None:
        self._finaliser = finaliser
        self._store = store
        self._clock = clock
        self._retry_at = -math.inf
        self._lock = threading.Lock()
        self.unwritten: list[Result] = []
        self.tally: Counter[str] = Counter()

    def __call__(self, results: Sequence[Result]) -> None:
        """Write results, and those that were kept; raise nothing."""
        with self._lock:
            self.unwritten += results
            if self._clock() >= self._retry_at:
                self._write()

    def _write(self) -> None:
        results, self.unwritten = self.unwritten, []
        for part in parts(results):
            try:
                self.tally += self._finaliser.settle(self._store, part, until=0)
            except StoreError:
                self.unwritten += part
                self._retry_at = self._clock() + PAUSE_SECONDS

    def complete(self, delivery: Delivery) -> Delivery:
        """Return the delivery with the results that are still to be written."""
        return replace(delivery, results=[*self.unwritten, *delivery.results])
