"""Make the calls of a batch side by side, each within its span and its time."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from uuid import UUID

import msgspec

from dovecote.channels.calls import Call
from dovecote.gate import Gate
from dovecote.model import Ambiguous, Claim, NotBegun, Outcome, Result, Slots
from dovecote.ports import Clock, Early, Sleep, Span
from dovecote.redaction import without_words

Said = tuple[Sequence[Claim], Outcome]
"""What the provider said, once, of these claims."""

MayBegin = Callable[[], NotBegun | None]
"""Says whether one more call may begin now: None, or why not."""

Send = Callable[[Sequence[Claim], MayBegin], Iterator[Said]]
"""Sends the claims of a call, whose first request may begin; asks before each further one."""

Resources = Callable[[Claim], Sequence[str]]


PORTION_SECONDS = 1.0
"""How long outcomes wait for the slowest of their batch."""


def one_by_one(send: Callable[[Claim], Outcome]) -> Send:
    """Return what sends the one claim of each call."""

    def sent(claims: Sequence[Claim], _: MayBegin) -> Iterator[Said]:
        for claim in claims:
            yield [claim], send(claim)

    return sent


class _Outcomes:
    """Takes outcomes until they are collected; one that comes after is late."""

    def __init__(self, late: SimpleQueue[Result]) -> None:
        self._late = late
        self._by_route: dict[UUID, Outcome] | None = {}
        self._lock = threading.Lock()

    def put(self, claims: Sequence[Claim], outcome: Outcome) -> None:
        with self._lock:
            for claim in claims:
                if self._by_route is None:
                    self._late.put(Result(claim=claim, outcome=outcome))
                else:
                    self._by_route[claim.route_id] = outcome

    def portion(self) -> dict[UUID, Outcome]:
        """Return what came since the last portion."""
        with self._lock:
            portion, self._by_route = self._by_route, {}
        return portion or {}

    def collect(self) -> dict[UUID, Outcome]:
        with self._lock:
            collected, self._by_route = self._by_route, None
        return collected or {}


def _taken(calls: deque[Call]) -> Iterator[Call]:
    """Take calls, each by one thread, until none is left."""
    with suppress(IndexError):
        while True:
            yield calls.popleft()


class _Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of a batch have in common; `first` is when its first slot is."""

    send: Send
    resources: Resources
    first: float
    begin_before: float
    slots: Slots
    gate: Gate
    outcomes: _Outcomes


class Pool:
    """A pool of threads; each makes one call at a time."""

    def __init__(
        self,
        *,
        workers: int,
        send_seconds: float,
        clock: Clock,
        sleep: Sleep,
        span: Span,
        sent: Callable[[float], None],
    ) -> None:
        self._workers = workers
        self._executor = ThreadPoolExecutor(max_workers=workers)
        self._send_seconds = send_seconds
        self._clock = clock
        self._sleep = sleep
        self._span = span
        self._sent = sent
        self._late: SimpleQueue[Result] = SimpleQueue()

    def deliver(
        self,
        send: Send,
        resources: Resources,
        calls: Sequence[Call],
        begin_before: float,
        slots: Slots,
        gate: Gate,
        early: Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Make calls; a claim of which nothing was said in time is left out, and late.

        While some are waited for, `early` takes the outcomes of others. The provider's client
        bounds each wait but not their sum, nor the look-up of its name: an answer that trickles in
        could last for ever.
        """
        batch = _Batch(
            send=send,
            resources=resources,
            first=self._clock() + slots.wait,
            begin_before=begin_before,
            slots=slots,
            gate=gate,
            outcomes=_Outcomes(self._late),
        )
        to_make = deque(calls)
        threads = [
            self._executor.submit(copy_context().run, self._make_each, batch, to_make)
            for _ in range(min(self._workers, len(calls)))
        ]
        ends = begin_before + self._send_seconds
        running = set(threads)
        while running and (left := ends - self._clock()) > 0:
            running = wait(running, timeout=min(left, PORTION_SECONDS)).not_done
            if running and early is not None and (portion := batch.outcomes.portion()):
                early(portion)
        for call in _taken(to_make):
            batch.outcomes.put(call.claims, NotBegun())
        for thread in threads:
            if not thread.cancel() and thread not in running:
                thread.result()
        return batch.outcomes.collect()

    def late(self) -> list[Result]:
        """Return what came of sends that were left out, each once."""
        results = []
        with suppress(Empty):
            while True:
                results.append(self._late.get_nowait())
        return results

    def _make_each(self, batch: _Batch, to_make: deque[Call]) -> None:
        """Make one call after the other: handing each to a thread costs more than making it."""
        for call in _taken(to_make):
            self._make(batch, call)

    def _make(self, batch: _Batch, call: Call) -> None:
        """Make a call in its slot, and keep what is said of each claim as it is said."""
        through = batch.resources(call.claims[0])
        slot = batch.first + call.slot * batch.slots.spacing
        if call.slot >= batch.slots.room or not self._comes(slot, batch.begin_before):
            batch.outcomes.put(call.claims, NotBegun())
        elif (behind := batch.gate.keeps(through)) is not None:
            batch.outcomes.put(call.claims, NotBegun(behind=behind))
        else:
            self._hear(batch, call.claims, through)

    def _hear(self, batch: _Batch, claims: Sequence[Claim], through: Sequence[str]) -> None:
        """Send the claims of a call in a span, which continues their trace where they have one.

        What was said once of many claims, as of a call whose answer was lost, the gate hears once.
        """
        unsaid = {claim.route_id: claim for claim in claims}
        traces = {claim.traceparent for claim in claims}
        begun = self._clock()
        with self._span("notification.attempt", *(traces if len(traces) == 1 else ())):
            try:
                for some, outcome in batch.send(claims, lambda: self._held(batch, through)):
                    batch.outcomes.put(some, batch.gate.heard(some[0], through, outcome))
                    for claim in some:
                        del unsaid[claim.route_id]
            except Exception as error:  # noqa: BLE001 - one bad route never hurts its batch
                # Nobody knows how far it came; of the provider it says nothing.
                lost = Ambiguous(error=without_words(error))
                batch.outcomes.put(list(unsaid.values()), lost)
        self._sent(self._clock() - begun)

    def _held(self, batch: _Batch, through: Sequence[str]) -> NotBegun | None:
        """Return why one more request of a call may not begin, or None: it may."""
        if self._clock() >= batch.begin_before:
            return NotBegun()
        behind = batch.gate.keeps(through)
        return None if behind is None else NotBegun(behind=behind)

    def _comes(self, slot: float, begin_before: float) -> bool:
        """Wait for a slot; return whether it is still time to begin a send."""
        wait_for = min(slot, begin_before) - self._clock()
        if wait_for > 0:
            self._sleep(wait_for)
        return self._clock() < begin_before
