"""One batch of a channel's worker: deliver it, write its results, and learn from its answers."""

import threading
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

from msgspec import Struct

from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.ports import Clock
from dovecote.core.transitions import THROTTLED_JITTER
from dovecote.dispatch.deliver import Delivery
from dovecote.dispatch.early_writer import EarlyWriter
from dovecote.dispatch.ports import Claimed
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.stopped_resources import StoppedResources
from dovecote.dispatch.services import Services
from dovecote.dispatch.timing import MARGIN_SECONDS, RECENT_SECONDS, THROTTLED_SECONDS, TimeLeft

_URGENCY = attrgetter("lane")
"""The most urgent lane is sent first, where a rate spreads a batch over time."""


class Answers:
    """The answers to a worker's batches, which matter for its next ones. Thread-safe.

    `stopped` has the resources that answers stopped; batches share it until the store has the
    pauses. Until `throttled_until` on the clock throttled routes are due soon.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accepted_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self.stopped = StoppedResources()
        self.throttled_until = 0.0

    def recently_accepted(self) -> frozenset[str]:
        """Return the resources through which a route was accepted a few seconds ago."""
        now = self._clock()
        with self._lock:
            accepted_at = self._accepted_at.items()
            return frozenset(one for one, at in accepted_at if now - at < RECENT_SECONDS)

    def delivered(self, breaker: CircuitBreaker) -> None:
        """Learn from a batch that was delivered."""
        with self._lock:
            self._accepted_at |= dict.fromkeys(breaker.accepted, self._clock())

    def written(self, breaker: CircuitBreaker) -> None:
        """Learn from a batch whose results and pauses are in the store."""
        longest = breaker.retry_after * (1 + THROTTLED_JITTER)
        with self._lock:
            if longest <= THROTTLED_SECONDS:
                self.throttled_until = max(self.throttled_until, self._clock() + longest)
            if breaker.has_opened:
                self.stopped = StoppedResources()


class BatchContext(Struct, frozen=True, kw_only=True):
    """The context in which a batch is claimed; the batch ends at `deadline` on the clock."""

    deadline: float
    lapsed_first: bool
    stopped: StoppedResources
    recently_accepted: frozenset[str]


class Batch:
    """Delivers claimed routes and writes their results.

    `left` returns the time of the run. The worker has the right to probe the resources in
    `probing`.
    """

    def __init__(
        self,
        *,
        services: Services,
        left: TimeLeft,
        answers: Answers,
        context: BatchContext,
        claimed: Sequence[Claimed],
        channel_state: ChannelState,
        slots: SendSlots,
        probing: frozenset[str],
    ) -> None:
        self._services = services
        self._left = left
        self._answers = answers
        self._context = context
        self._claimed = claimed
        self._channel_state = channel_state
        self._slots = slots
        self._probing = probing

    def __call__(self) -> Counter[str]:
        """Deliver the batch; return how many routes were written, by status."""
        store, finaliser, clock = (
            self._services.store, self._services.finaliser, self._services.clock,
        )  # fmt: skip
        early = EarlyWriter(finaliser=finaliser, store=store, clock=clock)
        delivery = self._deliver(early)
        self._answers.delivered(delivery.breaker)
        until = clock() + self._left() - MARGIN_SECONDS
        tally = finaliser.conclude(store, early.complete(delivery), until=until)
        self._answers.written(delivery.breaker)
        return early.tally + tally

    def _deliver(self, early: EarlyWriter) -> Delivery:
        claims: list[Claim] = [claim for routes in self._claimed for claim in routes]
        return self._services.deliver(
            sorted(claims, key=_URGENCY),
            channel_state=self._channel_state,
            slots=self._slots,
            deadline=self._context.deadline,
            probing=self._probing,
            stopped=self._context.stopped,
            recently_accepted=self._context.recently_accepted,
            settle=early,
        )
