"""The outcomes of a batch as its threads find them; those that come after its end are late."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from uuid import UUID

from dovecote.core.claim import Claim
from dovecote.core.outcome import Delivered, Outcome, Result


class LateResults:
    """Results of sends whose batch had ended; the next batch of the channel writes them.

    `changed` wakes the thread that waits for a batch of the same channel.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._results: SimpleQueue[Result] = SimpleQueue()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return not self._results.empty()

    def put(self, results: Sequence[Result]) -> None:
        """Add results, and wake those that wait; the caller holds `changed`."""
        for result in results:
            self._results.put(result)
        self.changed.notify_all()

    def take(self) -> list[Result]:
        """Return the late results, each once."""
        results = []
        with suppress(Empty):
            while True:
                results.append(self._results.get_nowait())
        return results


class Outcomes:
    """Collects the outcomes of one batch from its threads."""

    def __init__(self, threads: int, late: LateResults) -> None:
        self._threads = threads
        self._late = late
        self._changed = late.changed
        self._ended = False
        self._accepted: list[Result] = []
        self._others: list[Result] = []

    def put(self, claims: Sequence[Claim], outcome: Outcome) -> None:
        """Add the outcome of claims."""
        results = [Result(claim=claim, outcome=outcome) for claim in claims]
        with self._changed:
            if self._ended:
                self._late.put(results)
            elif isinstance(outcome, Delivered):
                if not self._accepted:
                    self._changed.notify_all()
                self._accepted += results
            else:
                self._others += results

    def thread_ended(self, _: object) -> None:
        """Count a thread that makes no more calls."""
        with self._changed:
            self._threads -= 1
            if not self._threads:
                self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of all calls; return whether they have ended."""
        with self._changed:
            return self._changed.wait_for(self._all_ended, seconds)

    def wait_for_accepted(self, seconds: float) -> bool:
        """Wait for an accepted message, a late result, or as `wait` does; return the same."""
        with self._changed:
            self._changed.wait_for(self._has_news, seconds)
            return self._all_ended()

    def take_accepted(self) -> list[Result]:
        """Return the messages that were accepted since the last call."""
        with self._changed:
            taken, self._accepted = self._accepted, []
        return taken

    def take_others(self) -> list[Result]:
        """Return the other outcomes since the last call."""
        with self._changed:
            taken, self._others = self._others, []
        return taken

    def end(self) -> dict[UUID, Outcome]:
        """End the batch; return the outcomes that were not taken."""
        with self._changed:
            self._ended = True
            return {one.claim.route_id: one.outcome for one in (*self._accepted, *self._others)}

    def _all_ended(self) -> bool:
        return not self._threads

    def _has_news(self) -> bool:
        return bool(self._accepted) or self._all_ended() or bool(self._late)
