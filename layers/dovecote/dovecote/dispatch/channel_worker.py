"""The worker of one channel in one run: it claims batches and begins their delivery.

While a batch is being delivered the next one is claimed, and waits for the channel's threads.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import chain
from operator import attrgetter

from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.errors import StoreBusy, StoreError, StoreUnavailable
from dovecote.dispatch.batch import Answers, BatchContext, InFlight
from dovecote.dispatch.claiming import ChannelCursors, Claiming
from dovecote.dispatch.finalise import EarlyWriter
from dovecote.dispatch.planned import GIVEN_BACK
from dovecote.dispatch.ports import Claimed
from dovecote.dispatch.services import (
    FINALISE_SECONDS,
    LIMITED_HORIZON_SECONDS,
    MARGIN_SECONDS,
    RECHECK_SECONDS,
    Services,
    TimeLeft,
)

INTERRUPTED = "interrupted"


class ChannelWorker:
    """Delivers the due routes of one channel until none is left or time is up.

    The last part of the run begins when `left` returns `last_part` seconds.
    """

    def __init__(
        self,
        services: Services,
        channel: str,
        left: TimeLeft,
        last_part: float,
        executor: Executor,
        cursors: ChannelCursors,
    ) -> None:
        self._services = services
        self._channel = channel
        self._left = left
        self._last_part = last_part
        self._in_flight = InFlight(executor)
        self._answers = Answers(services.clock)
        self._claiming = Claiming(services, channel, cursors)
        self._tally: Counter[str] = Counter()
        self._size = services.timing.batch_size

    def run(self) -> Counter[str]:
        """Deliver batches; return the tally. A store out of reach ends the run."""
        try:
            while self._left() > self._services.timing.least and self._step():
                pass
            while self._in_flight:
                self._join()
        except (StoreUnavailable, StoreBusy) as error:
            log = self._services.log
            log.error("database out of reach", channel=self._channel, error=str(error))
            self._tally[INTERRUPTED] += 1
            self._join_all()
        return self._tally

    def _join(self) -> None:
        """Wait for a batch to be delivered and written."""
        tally = self._in_flight.join()
        if tally[GIVEN_BACK]:
            self._claiming.restart()
        self._tally += tally

    def _join_all(self) -> None:
        """Wait for the batches in flight, which may reach the store again."""
        while self._in_flight:
            with suppress(StoreError):
                self._join()

    def _step(self) -> bool:
        """Begin the delivery of one batch, or wait; return whether to go on."""
        if self._in_flight.is_full:
            self._join()
        context = self._context()
        state = self._claiming.take_state()
        troubled = self._channel in state.paused | state.recovering
        if troubled:
            self._claiming.restart()  # all workers give routes back
        if self._in_flight and (troubled or context.lapsed_first):
            # A probe, and a route that may have killed its worker, are sent alone.
            self._join()
            return True
        if self._channel in state.paused:
            return self._behind_pause(state, context)
        probing = self._acquire_probe(state)
        if probing is None:
            return self._wait(RECHECK_SECONDS)
        return self._claim_and_deliver(state, probing, context)

    def _context(self) -> BatchContext:
        """Return the context of a batch that is claimed next.

        A batch that begins before the last part of the run leaves that part the time of one send.
        Under a backlog that outlasts the run, routes whose lease ran out come first in the last
        part: without that they would never be retried.
        """
        left = self._left()
        last = left <= self._last_part
        reserved = FINALISE_SECONDS + (0 if last else self._services.timing.least)
        return BatchContext(
            deadline=self._services.clock()
            + min(self._services.timing.lease_seconds, left - reserved),
            lapsed_first=last and self._claiming.may_have_lapsed,
            stopped=self._answers.stopped,
            recently_accepted=self._answers.recently_accepted(),
        )

    def _claim_and_deliver(
        self, state: ChannelState, probing: frozenset[str], context: BatchContext
    ) -> bool:
        slots = self._reserve(state, bool(probing))
        if not slots.room:
            self._release(slots, 0, probing)
            return self._wait(min(RECHECK_SECONDS, slots.wait))
        claimed = self._claiming.claim(
            slots.room, lapsed_first=context.lapsed_first, alone=not self._in_flight
        )
        count = sum(map(len, claimed))
        self._release(slots, slots.room - count, () if count else probing)
        if not count:
            return self._wait_for_routes()
        # The state after the claim has a resource that this worker probes as paused.
        state = state if probing else self._claiming.last_state or state
        self._begin(claimed, state, slots, context, probing)
        return True

    def _begin(
        self,
        claimed: Sequence[Claimed],
        state: ChannelState,
        slots: SendSlots,
        context: BatchContext,
        probing: frozenset[str] = frozenset(),
    ) -> None:
        """Begin the delivery of claimed routes."""
        self._tally["claimed"] += sum(map(len, claimed))
        self._in_flight.begin(partial(self._deliver, claimed, state, slots, context, probing))

    def _deliver(
        self,
        claimed: Sequence[Claimed],
        state: ChannelState,
        slots: SendSlots,
        context: BatchContext,
        probing: frozenset[str],
    ) -> Counter[str]:
        """Deliver a batch and write its results; return how many were written, by status.

        The most urgent lane is sent first, where a rate spreads a batch over time.
        """
        store, finaliser, clock = (
            self._services.store, self._services.finaliser, self._services.clock,
        )  # fmt: skip
        early = EarlyWriter(finaliser=finaliser, store=store, clock=clock)
        delivery = self._services.deliver(
            sorted(chain.from_iterable(claimed), key=attrgetter("lane")),
            channel_state=state,
            slots=slots,
            deadline=context.deadline,
            probing=probing,
            stopped=context.stopped,
            recently_accepted=context.recently_accepted,
            settle=early,
        )
        self._answers.delivered(delivery.breaker)
        until = clock() + self._left() - MARGIN_SECONDS
        tally = finaliser.conclude(store, early.complete(delivery), until=until)
        self._answers.written(delivery.breaker)
        return early.tally + tally

    def _behind_pause(self, state: ChannelState, context: BatchContext) -> bool:
        """End the routes that expired while their channel is paused; else wait for its end."""
        expired = self._claiming.claim_expired()
        if expired:
            self._begin([expired], state, SendSlots(room=0), context)
            self._join()
            return True
        return self._wait(min(RECHECK_SECONDS, state.paused_for), state.paused_for)

    def _acquire_probe(self, state: ChannelState) -> frozenset[str] | None:
        """Acquire the right to probe the channel after its pause; None where another has it."""
        if self._channel not in state.recovering:
            return frozenset()
        seconds = self._services.timing.send_seconds * 2
        if not self._services.store.acquire_probe(self._channel, seconds):
            return None
        return frozenset({self._channel})

    def _reserve(self, state: ChannelState, probing: bool) -> SendSlots:
        """Reserve the sends that the channel's rate has room for, before anything is claimed."""
        limited, rate = state.throttling.limited, self._services.rates.of(state)
        wanted = 1 if probing else self._wanted(rate)
        if rate is None and not limited:
            return SendSlots(room=wanted)
        horizon = self._services.timing.horizon
        if limited:
            horizon = min(horizon, LIMITED_HORIZON_SECONDS)
        return self._services.store.reserve(self._channel, wanted, horizon)

    def _wanted(self, rate: float | None) -> int:
        """Return the claims of the next batch: as a rule the setting, and more for slow bulk calls.

        It grows to twice the last size at most, since the first calls may be slow by chance.
        """
        wanted = self._services.deliver.senders[self._channel].wanted(rate)
        self._size = max(self._services.timing.batch_size, min(2 * self._size, wanted))
        return self._size

    def _release(self, slots: SendSlots, unused: int, probing: Collection[str]) -> None:
        """Give back unused slots and probes."""
        if unused and slots.slots is not None:
            self._services.store.release_slots(self._channel, slots, unused)
        for resource in probing:
            self._services.store.release_probe(resource)

    def _wait_for_routes(self) -> bool:
        """Wait for routes that are due soon; return whether there may be any."""
        if self._in_flight:
            self._join()  # routes that it gives back may be due
            return True
        if self._services.clock() < self._answers.throttled_until:
            return self._wait(RECHECK_SECONDS)
        state = self._claiming.last_state
        if state is None or state.awaited_for is None:
            return False
        # A route waits for the end of a narrow pause.
        return self._wait(min(RECHECK_SECONDS, state.awaited_for), state.awaited_for)

    def _wait(self, seconds: float, at_least: float = 0.0) -> bool:
        """Wait, where a send fits in afterwards; return whether it does.

        Nothing will be sent before `at_least` seconds are over.
        """
        if seconds + at_least + self._services.timing.least >= self._left():
            return False
        # Random, so that many waiting workers do not check at the same moment.
        self._services.sleep(seconds * (0.5 + self._services.random() / 2))
        return True
