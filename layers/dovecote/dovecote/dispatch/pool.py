"""Make the calls of a batch side by side, each within its span and its time."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from uuid import UUID

import msgspec

from dovecote.channels.base import Early
from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import Ambiguous, Delivered, NotBegun, Outcome, Result, Throttled
from dovecote.core.ports import Clock, Sleep, Span
from dovecote.core.redaction import without_words
from dovecote.dispatch.calls import Call
from dovecote.dispatch.circuit_breaker import CircuitBreaker

Reply = tuple[Sequence[Claim], Outcome]
"""What the provider said, once, of these claims."""

MayBegin = Callable[[], NotBegun | None]
"""Says whether one more call may begin now: None, or why not."""

Send = Callable[[Sequence[Claim], MayBegin], Iterator[Reply]]
"""Sends the claims of a call, whose first request may begin; asks before each further one."""

Resources = Callable[[Claim], Sequence[str]]


COMMIT_SECONDS = 0.03
"""The least time from one commit of accepted messages to the next: those between share it."""

OTHERS_SECONDS = 1.0
"""How often the other outcomes are written while a slow send is under way."""


def one_by_one(send: Callable[[Claim], Outcome]) -> Send:
    """Return what sends the one claim of each call."""

    def sent(claims: Sequence[Claim], _: MayBegin) -> Iterator[Reply]:
        for claim in claims:
            yield [claim], send(claim)

    return sent


class _Outcomes:
    """Collect the outcomes of a batch; one that arrives after the batch has ended is late.

    `changed` is shared by the batches of a pool, of which one that runs takes the late ones.
    """

    def __init__(
        self, threads: int, late: SimpleQueue[Result], changed: threading.Condition
    ) -> None:
        self._threads = threads
        self._late = late
        self._changed = changed
        self._ended = False
        self._accepted: list[Result] = []
        self._others: list[Result] = []

    def put(self, claims: Sequence[Claim], outcome: Outcome) -> None:
        """Add the outcome of claims."""
        results = [Result(claim=claim, outcome=outcome) for claim in claims]
        with self._changed:
            if self._ended:
                for result in results:
                    self._late.put(result)
                self._changed.notify_all()
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
            return self._changed.wait_for(lambda: not self._threads, seconds)

    def wait_for_accepted(self, seconds: float) -> bool:
        """Wait for a message that was accepted, or as `wait` does; return the same."""
        with self._changed:
            self._changed.wait_for(self._has_news, seconds)
            return not self._threads

    def _has_news(self) -> bool:
        return bool(self._accepted) or not self._threads or not self._late.empty()

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


def _taken(calls: deque[Call]) -> Iterator[Call]:
    """Take calls, each by one thread, until none is left."""
    with suppress(IndexError):
        while True:
            yield calls.popleft()


class _Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of a batch have in common; `first` is when its first slot is.

    No thread begins before `start`: threads that send keep others from being started.
    """

    send: Send
    resources: Resources
    first: float
    begin_before: float
    slots: SendSlots
    breaker: CircuitBreaker
    outcomes: _Outcomes
    start: threading.Event


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
        self._changed = threading.Condition()

    def deliver(
        self,
        send: Send,
        resources: Resources,
        calls: Sequence[Call],
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Make calls; a claim of which nothing was said in time is left out, and late.

        `early` takes accepted messages within a moment, and others while a slow send is under way.
        The provider's client bounds each wait but not their sum, nor the look-up of its name: an
        answer that trickles in could last for ever.
        """
        to_make = deque(calls)
        count = min(self._workers, len(calls))
        batch = _Batch(
            send=send,
            resources=resources,
            first=self._clock() + slots.wait,
            begin_before=begin_before,
            slots=slots,
            breaker=breaker,
            start=threading.Event(),
            outcomes=_Outcomes(count, self._late, self._changed),
        )
        threads = [self._thread(batch, to_make) for _ in range(count)]
        batch.start.set()
        ends = begin_before + self._send_seconds
        if early is None:
            batch.outcomes.wait(max(0.0, ends - self._clock()))
        else:
            self._write_early(batch.outcomes, early, ends)
        for call in _taken(to_make):
            batch.outcomes.put(call.claims, NotBegun())
        for thread in threads:
            if not thread.cancel() and thread.done():
                thread.result()
        return batch.outcomes.end()

    def _write_early(self, outcomes: _Outcomes, early: Early, ends: float) -> None:
        """Hand over accepted messages as they come, and now and then the others.

        Returns when all calls have ended, or at a time on the clock.
        """
        ended, commit_at, others_at = False, 0.0, self._clock() + OTHERS_SECONDS
        while not ended and (now := self._clock()) < ends:
            ended = outcomes.wait(commit_at - now) or outcomes.wait_for_accepted(
                min(ends - now, OTHERS_SECONDS)
            )
            now = self._clock()
            commit_at = now + COMMIT_SECONDS
            early(outcomes.take_accepted())
            if now >= others_at and not ended:
                early(outcomes.take_others())
                others_at = now + OTHERS_SECONDS

    def late(self) -> list[Result]:
        """Return what came of sends that were left out, each once."""
        results = []
        with suppress(Empty):
            while True:
                results.append(self._late.get_nowait())
        return results

    def _thread(self, batch: _Batch, to_make: deque[Call]) -> Future[None]:
        """Let a thread make calls from the start of their batch on."""
        thread = self._executor.submit(copy_context().run, self._make_each, batch, to_make)
        thread.add_done_callback(batch.outcomes.thread_ended)
        return thread

    def _make_each(self, batch: _Batch, to_make: deque[Call]) -> None:
        """Make one call after the other: handing each to a thread costs more than making it."""
        batch.start.wait()
        for call in _taken(to_make):
            self._make(batch, call)

    def _make(self, batch: _Batch, call: Call) -> None:
        """Make a call in its slot, and keep what is said of each claim as it is said."""
        through = batch.resources(call.claims[0])
        slot = batch.first + call.slot * batch.slots.spacing
        if call.slot >= batch.slots.room or not self._comes(slot, batch.begin_before):
            batch.outcomes.put(call.claims, NotBegun())
        elif (behind := batch.breaker.keeps(through)) is not None:
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
        accepted = throttled = 0
        with self._span("notification.attempt", *(traces if len(traces) == 1 else ())):
            try:
                for some, outcome in batch.send(claims, lambda: self._held(batch, through)):
                    accepted += len(some) * isinstance(outcome, Delivered)
                    throttled += len(some) * isinstance(outcome, Throttled)
                    batch.outcomes.put(some, batch.breaker.heard(some[0], through, outcome))
                    for claim in some:
                        del unsaid[claim.route_id]
            except Exception as error:  # noqa: BLE001 - one bad route never hurts its batch
                # Nobody knows how far it came; of the provider it says nothing.
                lost = Ambiguous(error=without_words(error))
                batch.outcomes.put(list(unsaid.values()), lost)
        batch.breaker.count(accepted, throttled, of_many=len(claims) > 1)
        self._sent(self._clock() - begun)

    def _held(self, batch: _Batch, through: Sequence[str]) -> NotBegun | None:
        """Return why one more request of a call may not begin, or None: it may."""
        if self._clock() >= batch.begin_before:
            return NotBegun()
        behind = batch.breaker.keeps(through)
        return None if behind is None else NotBegun(behind=behind)

    def _comes(self, slot: float, begin_before: float) -> bool:
        """Wait for a slot; return whether it is still time to begin a send."""
        wait_for = min(slot, begin_before) - self._clock()
        if wait_for > 0:
            self._sleep(wait_for)
        return self._clock() < begin_before
