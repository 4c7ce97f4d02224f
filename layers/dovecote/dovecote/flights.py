"""The batches of a channel that are under way, while the next one is claimed."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue

from dovecote.deliver import Delivery

MOST = 2
"""One is being delivered, and one waits for its turn: so the channel's threads never lack work."""

Landed = tuple[Delivery, int]
"""A delivery that is over, and how many routes were claimed for it."""


class Flights:
    """Deliveries that run side by side, each in a thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._over: SimpleQueue[tuple[Future[Delivery], int]] = SimpleQueue()
        self._under_way = 0

    def __len__(self) -> int:
        """Return how many have begun and are not taken down yet."""
        return self._under_way

    def begin(self, delivery: Callable[[], Delivery], claimed: int) -> None:
        """Begin a delivery."""
        self._under_way += 1
        future = self._executor.submit(delivery)
        future.add_done_callback(lambda done: self._over.put((done, claimed)))

    def take_down(self) -> Landed:
        """Wait for a delivery that is over, and return it; raise what it raised."""
        future, claimed = self._over.get()
        self._under_way -= 1
        return future.result(), claimed
