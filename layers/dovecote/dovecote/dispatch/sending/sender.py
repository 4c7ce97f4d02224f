"""The sender: it owns the threads, the time and the requests of a channel's batches."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from uuid import UUID

from dovecote.channels.base import AnyChannel
from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import NotBegun, Outcome, Result
from dovecote.core.ports import Clock, Sleep, Span
from dovecote.dispatch.sending.bulk_calls import BulkCalls
from dovecote.dispatch.sending.calls import BatchKey, Call, Requests, divided, single_calls
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.outcomes import LateResults, Outcomes

COMMIT_SECONDS = 0.03
"""The least time from one commit of accepted messages to the next: those between share it."""

OTHERS_SECONDS = 1.0
"""How often the other outcomes are written during a slow send."""

Early = Callable[[Sequence[Result]], None]
"""Takes results before the end of their batch; called about once a second even without any.

Raises nothing.
"""


class Sender:
    """Sends the batches of one channel. `sent` takes the seconds of each call.

    A channel has its own threads, so that a slow channel delays no other.
    """

    def __init__(
        self,
        *,
        channel: AnyChannel,
        workers: int,
        send_seconds: float,
        clock: Clock,
        sleep: Sleep,
        span: Span,
        sent: Callable[[float], None],
    ) -> None:
        self.channel = channel
        self._workers = workers
        self._executor = ThreadPoolExecutor(max_workers=workers)
        self._send_seconds = send_seconds
        self._clock = clock
        self._sleep = sleep
        self._span = span
        self._sent = sent
        self._late = LateResults()
        self._bulk_calls = BulkCalls(time_limit=send_seconds)

    def wanted(self, rate: float | None) -> int:
        """Return how many claims a batch needs for enough calls in flight; 0 where any will do."""
        return self._bulk_calls.wanted(rate, self._workers)

    def send(
        self,
        claims: Sequence[Claim],
        *,
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Send claims in their slots; return the outcomes that `early` did not take.

        No request begins at or after `begin_before` on the clock. A claim without an outcome
        `send_seconds` later is left out, and its result is late. The client of a provider bounds
        each wait but not their sum, nor the resolution of a name, so that a slow answer could last
        for ever. `early` takes accepted messages soon, and others during a slow send.
        """
        self.channel.connect()
        calls = deque(self._calls(claims, slots, breaker))
        threads = min(self._workers, len(calls))
        outcomes = Outcomes(threads, self._late)
        requests = Requests(
            channel=self.channel,
            slots=slots,
            first_slot=self._clock() + slots.wait,
            begin_before=begin_before,
            breaker=breaker,
            outcomes=outcomes,
            clock=self._clock,
            sleep=self._sleep,
        )
        running = self._start(threads, calls, requests, outcomes)
        self._wait(outcomes, early, begin_before + self._send_seconds)
        for call in _taken(calls):
            outcomes.put(call.claims, NotBegun())
        _raise_errors(running)
        return outcomes.end()

    def late(self) -> list[Result]:
        """Return the results of sends that were left out, each once."""
        return self._late.take()

    def _calls(
        self, claims: Sequence[Claim], slots: SendSlots, breaker: CircuitBreaker
    ) -> list[Call]:
        size = self.channel.batch_size
        if size == 1:
            return single_calls(claims)
        calls = divided(claims, self._batch_key(breaker), slots, size)
        self._bulk_calls.begin(claims, len(calls))
        return calls

    def _batch_key(self, breaker: CircuitBreaker) -> BatchKey:
        """Return the key of claims that may share a call.

        A probe after a pause has a call of its own. So has a route that failed or was refused: if
        it makes a request fail, no other route fails twice.
        """
        channel = self.channel

        def key(claim: Claim) -> object:
            if claim.attempts > 1 or claim.refusals or breaker.is_probe(channel.resources(claim)):
                return None
            return channel.batch_key(claim)

        return key

    def _start(
        self, threads: int, calls: deque[Call], requests: Requests, outcomes: Outcomes
    ) -> list[Future[None]]:
        """Start the threads of a batch. None makes a call before all are started.

        Threads that send keep others from being started.
        """
        started = threading.Event()
        running = []
        for _ in range(threads):
            run = copy_context().run
            thread = self._executor.submit(run, self._make_calls, started, calls, requests)
            thread.add_done_callback(outcomes.thread_ended)
            running.append(thread)
        started.set()
        return running

    def _make_calls(self, started: threading.Event, calls: deque[Call], requests: Requests) -> None:
        """Make one call after the other: a task for each costs more than the call."""
        started.wait()
        for call in _taken(calls):
            resources = self.channel.resources(call.claims[0])
            if requests.may_begin(call, resources):
                self._send_in_a_span(call, requests, resources)

    def _send_in_a_span(self, call: Call, requests: Requests, resources: Sequence[str]) -> None:
        """Send a call in a span, which continues the trace of its claims where they share one."""
        traces = {claim.traceparent for claim in call.claims}
        begun = self._clock()
        with self._span("notification.attempt", *(traces if len(traces) == 1 else ())):
            requests.send(call.claims, resources)
        seconds = self._clock() - begun
        self._sent(seconds)
        if self.channel.batch_size > 1:
            self._bulk_calls.ended(seconds)

    def _wait(self, outcomes: Outcomes, early: Early | None, ends: float) -> None:
        """Wait for the end of all calls, or for a time on the clock."""
        if early is None:
            outcomes.wait(max(0.0, ends - self._clock()))
        else:
            self._write_early(outcomes, early, ends)

    def _write_early(self, outcomes: Outcomes, early: Early, ends: float) -> None:
        """Wait, and hand over accepted messages as they come, and once a second the others."""
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


def _taken(calls: deque[Call]) -> Iterator[Call]:
    """Take calls, each by one thread, until none is left."""
    with suppress(IndexError):
        while True:
            yield calls.popleft()


def _raise_errors(threads: Sequence[Future[None]]) -> None:
    """Raise the error of a thread that has ended; cancel those that did not start."""
    for thread in threads:
        if not thread.cancel() and thread.done():
            thread.result()
