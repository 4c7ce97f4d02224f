"""Dispatch: claim due routes, deliver them, finalise them, until none is left or time is up.

Each channel has a line of its own, so that one that is slow, paced or paused holds up no other.
While a batch is being delivered the next one is claimed, and waits for the channel's threads.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from operator import attrgetter
from uuid import UUID

from msgspec import Struct

from dovecote.core import lanes
from dovecote.core.backoff import Random
from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Lease
from dovecote.core.errors import StoreBusy, StoreError, StoreUnavailable
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.core.route import Channel
from dovecote.core.transitions import THROTTLED_JITTER
from dovecote.dispatch import in_flight
from dovecote.dispatch.deliver import Deliver
from dovecote.dispatch.early_writer import EarlyWriter
from dovecote.dispatch.finalise import GIVEN_BACK, Finaliser
from dovecote.dispatch.in_flight import InFlight
from dovecote.dispatch.ports import Claimed, DispatchStore, LaneResult
from dovecote.dispatch.rates import Rates

LAPSED_SHARE = 0.2
"""The last part of a run, in which routes whose lease ran out go before fresh ones."""

FINALISE_SECONDS = 2.0
"""What is kept of the function's time to write down what happened."""

MARGIN_SECONDS = 0.5
"""What a function needs to return before it is ended."""

THROTTLED_SECONDS = 3.0
"""How long a run waits at most for routes that were throttled, when it has no others."""

HORIZON_SECONDS = 2.0
"""How far ahead a worker reserves what a rate has room for; others wait no longer than that."""

LIMITED_HORIZON_SECONDS = 0.3
"""The same while a channel is slowed down, so that all workers soon follow a change of its pace."""

LOOK_SECONDS = 0.5
"""How long a worker waits before it looks again at a channel that it may not use yet."""

ANEW_SECONDS = 5.0
"""How long a lane is read from where the last claim ended: what is before that waits so long."""

STANDING_SECONDS = 0.25
"""How long it counts how a channel stood at the last claim; the next one asks again."""

WORKED_SECONDS = 5.0
"""How long an acceptance in the same run makes it likely that a refusal is the route's own."""

TICK_SECONDS = 0.001
"""A moment as a number is not exact to the last digit."""

INTERRUPTED = "interrupted"
TALLY = (
    "claimed", "published", "retrying", "dead_lettered", "skipped", GIVEN_BACK, INTERRUPTED,
)  # fmt: skip

TimeLeft = Callable[[], float]
"""The seconds until the function is ended."""


class Timing(Struct, frozen=True, kw_only=True):
    """How large a batch is, and how long its parts may take, in seconds.

    `holds` says of each channel how long its events are waited for in doubt.
    """

    batch_size: int
    lease_seconds: float
    send_seconds: float
    holds: Mapping[str, float]

    @property
    def least(self) -> float:
        """Return the time that one send and its finaliser need."""
        return self.send_seconds + FINALISE_SECONDS

    @property
    def horizon(self) -> float:
        """Return how far ahead sends are reserved: so far that the lease still covers the last."""
        return min(HORIZON_SECONDS, (self.lease_seconds - self.send_seconds) / 2)


@dataclass(kw_only=True, slots=True)
class _ChannelWorker:
    """One channel in one run.

    `dry` are the lanes that had less than was asked of them, `lapsed_due` is false once a look for
    routes whose lease ran out found none, `heard_beside` is what the batches under way hear of as
    stopped, `accepted_at` when a route was last accepted through each resource. `since` is up to
    when each lane was read.
    """

    channel: Channel
    left: TimeLeft
    last_part: float
    in_flight: InFlight
    tally: Counter[str] = field(default_factory=Counter)
    dry: set[int] = field(default_factory=set)
    lapsed_due: bool = True
    stopped_resources: set[str] = field(default_factory=set)
    accepted_at: dict[str, float] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    anew_at: float = 0.0
    channel_state: ChannelState | None = None
    stood_at: float = 0.0
    throttled_until: float = 0.0

    def begin_anew(self, now: float) -> None:
        """Read all lanes from their beginning, when it is time for that."""
        if now >= self.anew_at:
            self.since.clear()
            self.anew_at = now + ANEW_SECONDS

    def await_throttled(self, delay: float, now: float) -> None:
        """Keep the run going until routes are due that were throttled, where that is soon."""
        longest = delay * (1 + THROTTLED_JITTER)
        if longest <= THROTTLED_SECONDS:
            self.throttled_until = max(self.throttled_until, now + longest)

    def read(self, quotas: Mapping[int, int], parts: Mapping[int, LaneResult]) -> set[int]:
        """Note how far the lanes were read; return those that are dry, from their beginning on."""
        short = {n for n, quota in quotas.items() if n not in parts or parts[n].count < quota}
        dry = short - self.since.keys()
        for lane in quotas:
            if lane in short:
                self.since.pop(lane, None)
            else:
                self.since[lane] = parts[lane].until - TICK_SECONDS
        return dry


class _BatchContext(Struct, frozen=True, kw_only=True):
    """What counts for a batch: until when it is to be delivered, and what other batches heard.

    Through the `worked` resources the run has just sent a route.
    """

    deadline: float
    lapsed_first: bool
    stopped_resources: set[str]
    worked: frozenset[str]


class Dispatch:
    """One dispatcher; many may run side by side."""

    def __init__(
        self,
        *,
        store: DispatchStore,
        deliver: Deliver,
        finaliser: Finaliser,
        rates: Rates,
        clock: Clock,
        sleep: Sleep,
        random: Random,
        log: Log,
        new_id: Callable[[], UUID],
        timing: Timing,
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._finaliser = finaliser
        self._rates = rates
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._log = log
        self._new_id = new_id
        self._timing = timing

    def __call__(self, time_left: TimeLeft) -> dict[str, int]:
        """Run until nothing is due or the time left covers no send; return the tally.

        A store that is out of reach ends the run, and the tally says so.
        """
        with (
            ThreadPoolExecutor(max_workers=len(Channel)) as executor,
            ThreadPoolExecutor(max_workers=len(Channel) * in_flight.MOST) as air,
        ):
            last_part = max(time_left() * LAPSED_SHARE, 2 * self._timing.least)
            lines = [
                _ChannelWorker(
                    channel=channel, left=time_left, last_part=last_part, in_flight=InFlight(air)
                )
                for channel in Channel
            ]
            runs = [executor.submit(copy_context().run, self._run, line) for line in lines]
            tallies = [run.result() for run in runs]
        return {name: sum(tally[name] for tally in tallies) for name in TALLY}

    def _run(self, line: _ChannelWorker) -> Counter[str]:
        try:
            while line.left() > self._timing.least and self._step(line):
                pass
            while line.in_flight:
                self._take_down(line)
        except (StoreUnavailable, StoreBusy) as error:
            self._log.error("database out of reach", channel=line.channel, error=str(error))
            line.tally[INTERRUPTED] += 1
            self._await_all(line)
        return line.tally

    def _await_all(self, line: _ChannelWorker) -> None:
        """Wait for what is under way, which may find the store again."""
        while line.in_flight:
            with suppress(StoreError):
                self._take_down(line)

    def _ends(self, line: _ChannelWorker) -> float:
        return self._clock() + line.left()

    def _step(self, line: _ChannelWorker) -> bool:
        """Begin the delivery of one batch, or wait for something; return whether to go on."""
        if len(line.in_flight) == in_flight.MOST:
            self._take_down(line)
        moment = self._moment(line)
        channel_state = self._standing(line)
        trouble = line.channel in channel_state.paused | channel_state.recovering
        if line.in_flight and (trouble or moment.lapsed_first):
            # What is tried, and what killed its worker, is alone.
            self._take_down(line)
            return True
        if line.channel in channel_state.paused:
            return self._behind_pause(channel_state, line)
        tried = self._tried(channel_state)
        if tried is None:
            return self._wait(LOOK_SECONDS, line)
        return self._claim_and_deliver(channel_state, tried, moment, line)

    def _moment(self, line: _ChannelWorker) -> _BatchContext:
        """Return what counts for a batch that is claimed now.

        One that begins before the last part leaves that part the time of one send. Under a backlog
        that outlasts the run, routes whose lease ran out come first in the last part, so that they
        move at all.
        """
        left = line.left()
        last = left <= line.last_part
        kept = FINALISE_SECONDS + (0 if last else self._timing.least)
        return _BatchContext(
            deadline=self._clock() + min(self._timing.lease_seconds, left - kept),
            lapsed_first=last and line.lapsed_due,
            stopped_resources=line.stopped_resources,
            worked=frozenset(
                resource
                for resource, at in [*line.accepted_at.items()]
                if self._clock() - at < WORKED_SECONDS
            ),
        )

    def _standing(self, line: _ChannelWorker) -> ChannelState:
        """Return how a channel stands: as the last claim found it, where that was just now."""
        channel_state, line.channel_state = line.channel_state, None
        if channel_state is None or self._clock() > line.stood_at + STANDING_SECONDS:
            return self._store.channel_state(line.channel)
        return channel_state

    def _claim_and_deliver(
        self,
        channel_state: ChannelState,
        tried: frozenset[str],
        moment: _BatchContext,
        line: _ChannelWorker,
    ) -> bool:
        slots = self._reserved(channel_state, 1 if tried else self._timing.batch_size)
        if not slots.room:
            self._give_up(channel_state, slots, 0, tried)
            return self._wait(min(LOOK_SECONDS, slots.wait), line)
        claimed = self._claim(line, slots.room, lapsed_first=moment.lapsed_first)
        count = sum(map(len, claimed))
        self._give_up(channel_state, slots, slots.room - count, tried if not count else ())
        if count:
            # As it stood after the claim; but what is tried is paused for all others since.
            stood = line.channel_state if line.channel_state and not tried else channel_state
            self._begin(line, claimed, stood, slots, moment, tried)
        elif line.in_flight:
            self._take_down(line)  # what it leaves may be due
        elif self._clock() < line.throttled_until:
            return self._wait(LOOK_SECONDS, line)
        else:
            return self._await_probe(line)
        return True

    def _await_probe(self, line: _ChannelWorker) -> bool:
        """Wait for the end of a narrow pause that a route waits for, where that is in time."""
        if line.channel_state is None or (pause := line.channel_state.awaited_for) is None:
            return False
        return self._wait(min(LOOK_SECONDS, pause), line, pause)

    def _begin(
        self,
        line: _ChannelWorker,
        claimed: Sequence[Claimed],
        channel_state: ChannelState,
        slots: SendSlots,
        moment: _BatchContext,
        tried: frozenset[str] = frozenset(),
    ) -> None:
        early = EarlyWriter(finaliser=self._finaliser, store=self._store, clock=self._clock)

        def flight() -> Counter[str]:
            claims = [claim for batch in claimed for claim in batch]
            delivery = self._deliver(
                sorted(claims, key=_URGENCY),
                channel_state=channel_state,
                slots=slots,
                deadline=moment.deadline,
                tried=tried,
                stopped_resources=moment.stopped_resources,
                worked=moment.worked,
                settle=early,
            )
            line.accepted_at |= dict.fromkeys(delivery.breaker.accepted, self._clock())
            until = self._ends(line) - MARGIN_SECONDS
            tally = self._finaliser.conclude(self._store, early.complete(delivery), until=until)
            line.await_throttled(delivery.breaker.retry_after, self._clock())
            if delivery.breaker.has_closed:
                # From now on the store says so, and for how long.
                line.stopped_resources = set()
            return early.tally + tally

        line.tally["claimed"] += sum(map(len, claimed))
        line.in_flight.begin(flight)

    def _take_down(self, line: _ChannelWorker) -> None:
        """Wait for a batch that is delivered and written down."""
        line.tally += line.in_flight.join()

    def _behind_pause(self, channel_state: ChannelState, line: _ChannelWorker) -> bool:
        """End what expired while its channel is paused; else wait, where that is worth it."""
        numbers = [lane.number for lane in lanes.of(line.channel)]
        hold = self._timing.holds[line.channel]
        expired = self._store.claim_expired(
            numbers, self._lease(), hold=hold, limit=self._timing.batch_size
        )
        if expired:
            self._begin(line, [expired], channel_state, SendSlots(room=0), self._moment(line))
            self._take_down(line)
            return True
        return self._wait(
            min(LOOK_SECONDS, channel_state.paused_for), line, channel_state.paused_for
        )

    def _tried(self, channel_state: ChannelState) -> frozenset[str] | None:
        """Take the right to try a channel after its pause; None where another worker has it."""
        if channel_state.channel not in channel_state.recovering:
            return frozenset()
        seconds = self._timing.send_seconds * 2
        if not self._store.acquire_probe(channel_state.channel, seconds):
            return None
        return frozenset({channel_state.channel})

    def _reserved(self, channel_state: ChannelState, wanted: int) -> SendSlots:
        """Reserve what the channel's rate has room for before anything is claimed."""
        limited = channel_state.throttling.limited
        if self._rates.of(channel_state) is None and not limited:
            return SendSlots(room=wanted)
        horizon = self._timing.horizon
        if limited:
            horizon = min(horizon, LIMITED_HORIZON_SECONDS)
        return self._store.reserve(channel_state.channel, wanted, horizon)

    def _give_up(
        self, channel_state: ChannelState, slots: SendSlots, unused: int, tried: Collection[str]
    ) -> None:
        """Give back what was reserved and is not used."""
        if unused and slots.slots is not None:
            self._store.release_slots(channel_state.channel, slots, unused)
        for resource in tried:
            self._store.release_probe(resource)

    def _wait(self, seconds: float, line: _ChannelWorker, at_least: float = 0.0) -> bool:
        """Wait, where a send still fits in before the end; return whether it does.

        Nothing will be sent before `at_least` seconds are over.
        """
        if seconds + at_least + self._timing.least >= line.left():
            return False
        # By chance, so that many that wait do not look in the same moment.
        self._sleep(seconds * (0.5 + self._random() / 2))
        return True

    def _claim(self, line: _ChannelWorker, room: int, *, lapsed_first: bool) -> Sequence[Claimed]:
        """Claim a batch of fresh routes, or one alone whose lease ran out.

        Lapsed ones come last: one that kills its worker burns its own attempts and nobody else's.
        """
        if lapsed_first:
            lapsed = self._lapsed(line)
            line.lapsed_due = bool(lapsed)
            return lapsed or self._fresh(line, room)
        return self._fresh(line, room) or self._lapsed(line)

    def _fresh(self, line: _ChannelWorker, room: int) -> Sequence[Claimed]:
        """Claim a batch: each lane its share, then what is missing from those that had more."""
        line.begin_anew(self._clock())
        lease = self._lease()
        enough = room / 2 if room >= lanes.ROOMY else room
        claimed: list[Claimed] = []
        missing, dry = room, set[int]()
        quotas = lanes.shares(line.channel, room, self._random, line.dry)
        while quotas:
            try:
                got, line.channel_state = self._store.claim(line.channel, quotas, lease, line.since)
            except StoreError:
                if not claimed:
                    raise
                break  # what is claimed already is not left to lapse
            line.stood_at = self._clock()
            claimed += [got] if got else []
            missing -= len(got)
            dry |= line.read(quotas, got.by_lane)
            quotas = lanes.rest(line.channel, missing, dry) if room - missing < enough else {}
        line.dry = dry
        return claimed

    def _lapsed(self, line: _ChannelWorker) -> Sequence[Claimed]:
        """Claim one route whose lease ran out, while nothing else of its channel is under way."""
        if line.in_flight:
            return []
        numbers = [lane.number for lane in lanes.of(line.channel)]
        hold = self._timing.holds[line.channel]
        lapsed = self._store.claim_lapsed(numbers, self._lease(), hold=hold)
        return [lapsed] if lapsed else []

    def _lease(self) -> Lease:
        return Lease(token=self._new_id(), seconds=self._timing.lease_seconds)


_URGENCY = attrgetter("lane")
"""The most urgent lane goes out first, where a rate spreads a batch over time."""
