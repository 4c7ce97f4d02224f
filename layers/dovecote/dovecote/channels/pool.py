"""Send the claims of a batch side by side, each within its trace and its time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from uuid import UUID

from dovecote.model import Claim, Failed, NotBegun, Outcome, Result
from dovecote.ports import Clock
from dovecote.redaction import scrubbed

Send = Callable[[Claim], Outcome]
Span = Callable[[str, str | None], AbstractContextManager[None]]
"""Opens a span by name that continues a traceparent."""


class Pool:
    """A pool of threads; each sends one claim at a time."""

    def __init__(self, *, workers: int, send_seconds: float, clock: Clock, span: Span) -> None:
        self._executor = ThreadPoolExecutor(max_workers=workers)
        self._send_seconds = send_seconds
        self._clock = clock
        self._span = span
        self._late: SimpleQueue[Result] = SimpleQueue()

    def deliver(
        self, send: Send, claims: Sequence[Claim], begin_before: float
    ) -> dict[UUID, Outcome]:
        """Send claims; what has not answered when its time is over is left out, and late.

        The provider's client bounds each wait but not their sum, nor the look-up of its name: an
        answer that trickles in could last for ever.
        """
        futures: dict[Future[Outcome], Claim] = {
            self._executor.submit(self._send, send, claim, begin_before): claim for claim in claims
        }
        left = begin_before + self._send_seconds - self._clock()
        done, running = wait(futures, timeout=max(0.0, left))
        outcomes = {futures[future].route_id: future.result() for future in done}
        for future in running:
            if future.cancel():
                outcomes[futures[future].route_id] = NotBegun()
            else:
                self._note_when_done(future, futures[future])
        return outcomes

    def late(self) -> list[Result]:
        """Return what came of sends that were left out, each once."""
        results = []
        with suppress(Empty):
            while True:
                results.append(self._late.get_nowait())
        return results

    def _note_when_done(self, future: Future[Outcome], claim: Claim) -> None:
        future.add_done_callback(
            lambda done: self._late.put(Result(claim=claim, outcome=done.result()))
        )

    def _send(self, send: Send, claim: Claim, begin_before: float) -> Outcome:
        if self._clock() >= begin_before:
            return NotBegun()
        with self._span("notification.attempt", claim.traceparent):
            try:
                return send(claim)
            except Exception as error:  # noqa: BLE001 - one bad route never hurts its batch
                return Failed(error=scrubbed(f"{type(error).__name__}: {error}", claim))
