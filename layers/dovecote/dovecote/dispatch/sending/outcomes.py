"""The outcomes of a batch as its threads find them; those that come after its end are late."""

import threading
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct, field

from dovecote.core.claim import Claim
from dovecote.core.outcome import Delivered, Outcome, Result


class LateResults(Struct):
    """Results of sends whose batch had ended; the next batch of the channel writes them.

    `changed` wakes the thread that waits for a batch of the same channel.
    """

    changed: threading.Condition = field(default_factory=threading.Condition)
    results: list[Result] = []

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.results)

    def put(self, results: Sequence[Result]) -> None:
        """Add results, and wake those that wait; the caller holds `changed`."""
        self.results += results
        self.changed.notify_all()

    def take(self) -> list[Result]:
        """Return the late results, each once."""
        with self.changed:
            taken, self.results = self.results, []
        return taken


class Outcomes(Struct):
    """Collects the outcomes of one batch from its threads."""

    threads: int
    late: LateResults
    ended: bool = False
    accepted: list[Result] = []
    others: list[Result] = []

    def put(self, claims: Sequence[Claim], outcome: Outcome) -> None:
        """Add the outcome of claims."""
        results = [Result(claim=claim, outcome=outcome) for claim in claims]
        with self.late.changed:
            if self.ended:
                self.late.put(results)
            elif isinstance(outcome, Delivered):
                if not self.accepted:
                    self.late.changed.notify_all()
                self.accepted += results
            else:
                self.others += results

    def thread_ended(self, _: object) -> None:
        """Count a thread that makes no more calls."""
        with self.late.changed:
            self.threads -= 1
            if not self.threads:
                self.late.changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of all calls; return whether they have ended."""
        with self.late.changed:
            return self.late.changed.wait_for(self._all_ended, seconds)

    def wait_for_accepted(self, seconds: float) -> bool:
        """Wait for an accepted message, a late result, or as `wait` does; return the same."""
        with self.late.changed:
            self.late.changed.wait_for(self._has_news, seconds)
            return self._all_ended()

    def take_accepted(self) -> list[Result]:
        """Return the messages that were accepted since the last call."""
        with self.late.changed:
            taken, self.accepted = self.accepted, []
        return taken

    def take_others(self) -> list[Result]:
        """Return the other outcomes since the last call."""
        with self.late.changed:
            taken, self.others = self.others, []
        return taken

    def end(self) -> dict[UUID, Outcome]:
        """End the batch; return the outcomes that were not taken."""
        with self.late.changed:
            self.ended = True
            return {one.claim.route_id: one.outcome for one in (*self.accepted, *self.others)}

    def _all_ended(self) -> bool:
        return not self.threads

    def _has_news(self) -> bool:
        return bool(self.accepted) or self._all_ended() or bool(self.late)
