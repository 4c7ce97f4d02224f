"""Send the claims of a batch side by side, each within its trace and its time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from uuid import UUID

from dovecote.gate import Gate
from dovecote.model import Ambiguous, Claim, NotBegun, Outcome, Result, Slots
from dovecote.ports import Clock, Sleep
from dovecote.redaction import scrubbed

Send = Callable[[Claim], Outcome]
Resources = Callable[[Claim], Sequence[str]]
Span = Callable[[str, str | None], AbstractContextManager[None]]
"""Opens a span by name that continues a traceparent."""


class Pool:
    """A pool of threads; each sends one claim at a time."""

    def __init__(
        self, *, workers: int, send_seconds: float, clock: Clock, sleep: Sleep, span: Span
    ) -> None:
        self._executor = ThreadPoolExecutor(max_workers=workers)
        self._send_seconds = send_seconds
        self._clock = clock
        self._sleep = sleep
        self._span = span
        self._late: SimpleQueue[Result] = SimpleQueue()

    def deliver(
        self,
        send: Send,
        resources: Resources,
        claims: Sequence[Claim],
        begin_before: float,
        slots: Slots,
        gate: Gate,
    ) -> dict[UUID, Outcome]:
        """Send claims; what has not answered when its time is over is left out, and late.

        The provider's client bounds each wait but not their sum, nor the look-up of its name: an
        answer that trickles in could last for ever.
        """
        first = self._clock() + slots.wait

        def at(place: int, claim: Claim) -> Outcome:
            if place >= slots.room or not self._comes(first + place * slots.spacing, begin_before):
                return NotBegun()
            return self._send(send, resources(claim), claim, gate)

        futures: dict[Future[Outcome], Claim] = {
            self._executor.submit(at, place, claim): claim for place, claim in enumerate(claims)
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

    def _comes(self, slot: float, begin_before: float) -> bool:
        """Wait for a slot; return whether it is still time to begin a send."""
        wait_for = min(slot, begin_before) - self._clock()
        if wait_for > 0:
            self._sleep(wait_for)
        return self._clock() < begin_before

    def _send(self, send: Send, resources: Sequence[str], claim: Claim, gate: Gate) -> Outcome:
        behind = gate.keeps(resources)
        if behind is not None:
            return NotBegun(behind=behind)
        with self._span("notification.attempt", claim.traceparent):
            try:
                outcome = send(claim)
            except Exception as error:  # noqa: BLE001 - one bad route never hurts its batch
                # Nobody knows how far it came; of the provider it says nothing.
                return Ambiguous(error=scrubbed(f"{type(error).__name__}: {error}", claim))
        return gate.heard(claim, resources, outcome)
