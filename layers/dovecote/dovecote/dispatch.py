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

from dovecote import flights, lanes
from dovecote.deliver import Deliver
from dovecote.finalise import GIVEN_BACK, EarlyWriter, Finaliser
from dovecote.flights import Flights
from dovecote.model import Channel, Lease, Slots, Standing
from dovecote.ports import (
    Claimed,
    Clock,
    Log,
    Part,
    Sleep,
    Store,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)
from dovecote.rates import Rates
from dovecote.transitions import THROTTLED_JITTER, Random

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
class _Line:
    """One channel in one run.

    `dry` are the lanes that had less than was asked of them, `lapsed_due` is false once a look for
    routes whose lease ran out found none, `heard_beside` is what the batches under way hear of as
    stopped, `accepted_at` when a route was last accepted through each resource. `since` is up to
    when each lane was read.
    """

    channel: Channel
    left: TimeLeft
    last_part: float
    flights: Flights
    tally: Counter[str] = field(default_factory=Counter)
    dry: set[int] = field(default_factory=set)
    lapsed_due: bool = True
    heard_beside: set[str] = field(default_factory=set)
    accepted_at: dict[str, float] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    anew_at: float = 0.0
    standing: Standing | None = None
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

    def read(self, quotas: Mapping[int, int], parts: Mapping[int, Part]) -> set[int]:
        """Note how far the lanes were read; return those that are dry, from their beginning on."""
        short = {n for n, quota in quotas.items() if n not in parts or parts[n].count < quota}
        dry = short - self.since.keys()
        for lane in quotas:
            if lane in short:
                self.since.pop(lane, None)
            else:
                self.since[lane] = parts[lane].until - TICK_SECONDS
        return dry


class _Moment(Struct, frozen=True, kw_only=True):
    """What counts for a batch: until when it is to be delivered, and what other batches heard.

    Through the `worked` resources the run has just sent a route.
    """

    deadline: float
    lapsed_first: bool
    heard_beside: set[str]
    worked: frozenset[str]


class Dispatch:
    """One dispatcher; many may run side by side."""

    def __init__(
        self,
        *,
        store: Store,
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
            ThreadPoolExecutor(max_workers=len(Channel) * flights.MOST) as air,
        ):
            last_part = max(time_left() * LAPSED_SHARE, 2 * self._timing.least)
            lines = [
                _Line(channel=channel, left=time_left, last_part=last_part, flights=Flights(air))
                for channel in Channel
            ]
            runs = [executor.submit(copy_context().run, self._run, line) for line in lines]
            tallies = [run.result() for run in runs]
        return {name: sum(tally[name] for tally in tallies) for name in TALLY}

    def _run(self, line: _Line) -> Counter[str]:
        try:
            while line.left() > self._timing.least and self._step(line):
                pass
            while line.flights:
                self._take_down(line)
        except (StoreUnavailable, StoreBusy) as error:
            self._log.error("database out of reach", channel=line.channel, error=str(error))
            line.tally[INTERRUPTED] += 1
            self._await_all(line)
        return line.tally

    def _await_all(self, line: _Line) -> None:
        """Wait for what is under way, which may find the store again."""
        while line.flights:
            with suppress(StoreError):
                self._take_down(line)

    def _ends(self, line: _Line) -> float:
        return self._clock() + line.left()

    def _step(self, line: _Line) -> bool:
        """Begin the delivery of one batch, or wait for something; return whether to go on."""
        if len(line.flights) == flights.MOST:
            self._take_down(line)
        moment = self._moment(line)
        standing = self._standing(line)
        trouble = line.channel in standing.paused | standing.recovering
        if line.flights and (trouble or moment.lapsed_first):
            # What is tried, and what killed its worker, is alone.
            self._take_down(line)
            return True
        if line.channel in standing.paused:
            return self._behind_pause(standing, line)
        tried = self._tried(standing)
        if tried is None:
            return self._wait(LOOK_SECONDS, line)
        return self._claim_and_deliver(standing, tried, moment, line)

    def _moment(self, line: _Line) -> _Moment:
        """Return what counts for a batch that is claimed now.

        One that begins before the last part leaves that part the time of one send. Under a backlog
        that outlasts the run, routes whose lease ran out come first in the last part, so that they
        move at all.
        """
        left = line.left()
        last = left <= line.last_part
        kept = FINALISE_SECONDS + (0 if last else self._timing.least)
        return _Moment(
            deadline=self._clock() + min(self._timing.lease_seconds, left - kept),
            lapsed_first=last and line.lapsed_due,
            heard_beside=line.heard_beside,
            worked=frozenset(
                resource
                for resource, at in [*line.accepted_at.items()]
                if self._clock() - at < WORKED_SECONDS
            ),
        )

    def _standing(self, line: _Line) -> Standing:
        """Return how a channel stands: as the last claim found it, where that was just now."""
        standing, line.standing = line.standing, None
        if standing is None or self._clock() > line.stood_at + STANDING_SECONDS:
            return self._store.stand(line.channel)
        return standing

    def _claim_and_deliver(
        self, standing: Standing, tried: frozenset[str], moment: _Moment, line: _Line
    ) -> bool:
        slots = self._reserved(standing, 1 if tried else self._timing.batch_size)
        if not slots.room:
            self._give_up(standing, slots, 0, tried)
            return self._wait(min(LOOK_SECONDS, slots.wait), line)
        claimed = self._claim(line, slots.room, lapsed_first=moment.lapsed_first)
        count = sum(map(len, claimed))
        self._give_up(standing, slots, slots.room - count, tried if not count else ())
        if count:
            # As it stood after the claim; but what is tried is paused for all others since.
            stood = line.standing if line.standing and not tried else standing
            self._begin(line, claimed, stood, slots, moment, tried)
        elif line.flights:
            self._take_down(line)  # what it leaves may be due
        elif self._clock() < line.throttled_until:
            return self._wait(LOOK_SECONDS, line)
        else:
            return self._await_probe(line)
        return True

    def _await_probe(self, line: _Line) -> bool:
        """Wait for the end of a narrow pause that a route waits for, where that is in time."""
        if line.standing is None or (pause := line.standing.awaited_for) is None:
            return False
        return self._wait(min(LOOK_SECONDS, pause), line, pause)

    def _begin(
        self,
        line: _Line,
        claimed: Sequence[Claimed],
        standing: Standing,
        slots: Slots,
        moment: _Moment,
        tried: frozenset[str] = frozenset(),
    ) -> None:
        early = EarlyWriter(finaliser=self._finaliser, store=self._store, clock=self._clock)

        def flight() -> Counter[str]:
            claims = [claim for batch in claimed for claim in batch]
            delivery = self._deliver(
                sorted(claims, key=_URGENCY),
                standing=standing,
                slots=slots,
                deadline=moment.deadline,
                tried=tried,
                heard_beside=moment.heard_beside,
                worked=moment.worked,
                settle=early,
            )
            line.accepted_at |= dict.fromkeys(delivery.gate.accepted, self._clock())
            until = self._ends(line) - MARGIN_SECONDS
            tally = self._finaliser.conclude(self._store, early.complete(delivery), until=until)
            line.await_throttled(delivery.gate.retry_after, self._clock())
            if delivery.gate.has_closed:
                # From now on the store says so, and for how long.
                line.heard_beside = set()
            return early.tally + tally

        line.tally["claimed"] += sum(map(len, claimed))
        line.flights.begin(flight)

    def _take_down(self, line: _Line) -> None:
        """Wait for a batch that is delivered and written down."""
        line.tally += line.flights.take_down()

    def _behind_pause(self, standing: Standing, line: _Line) -> bool:
        """End what expired while its channel is paused; else wait, where that is worth it."""
        numbers = [lane.number for lane in lanes.of(line.channel)]
        hold = self._timing.holds[line.channel]
        expired = self._store.claim_expired(
            numbers, self._lease(), hold=hold, limit=self._timing.batch_size
        )
        if expired:
            self._begin(line, [expired], standing, Slots(room=0), self._moment(line))
            self._take_down(line)
            return True
        return self._wait(min(LOOK_SECONDS, standing.paused_for), line, standing.paused_for)

    def _tried(self, standing: Standing) -> frozenset[str] | None:
        """Take the right to try a channel after its pause; None where another worker has it."""
        if standing.channel not in standing.recovering:
            return frozenset()
        seconds = self._timing.send_seconds * 2
        if not self._store.try_resource(standing.channel, seconds):
            return None
        return frozenset({standing.channel})

    def _reserved(self, standing: Standing, wanted: int) -> Slots:
        """Reserve what the channel's rate has room for before anything is claimed."""
        limited = standing.throttling.limited
        if self._rates.of(standing) is None and not limited:
            return Slots(room=wanted)
        horizon = self._timing.horizon
        if limited:
            horizon = min(horizon, LIMITED_HORIZON_SECONDS)
        return self._store.reserve(standing.channel, wanted, horizon)

    def _give_up(
        self, standing: Standing, slots: Slots, unused: int, tried: Collection[str]
    ) -> None:
        """Give back what was reserved and is not used."""
        if unused and slots.slots is not None:
            self._store.release_slots(standing.channel, slots, unused)
        for resource in tried:
            self._store.leave_untried(resource)

    def _wait(self, seconds: float, line: _Line, at_least: float = 0.0) -> bool:
        """Wait, where a send still fits in before the end; return whether it does.

        Nothing will be sent before `at_least` seconds are over.
        """
        if seconds + at_least + self._timing.least >= line.left():
            return False
        # By chance, so that many that wait do not look in the same moment.
        self._sleep(seconds * (0.5 + self._random() / 2))
        return True

    def _claim(self, line: _Line, room: int, *, lapsed_first: bool) -> Sequence[Claimed]:
        """Claim a batch of fresh routes, or one alone whose lease ran out.

        Lapsed ones come last: one that kills its worker burns its own attempts and nobody else's.
        """
        if lapsed_first:
            lapsed = self._lapsed(line)
            line.lapsed_due = bool(lapsed)
            return lapsed or self._fresh(line, room)
        return self._fresh(line, room) or self._lapsed(line)

    def _fresh(self, line: _Line, room: int) -> Sequence[Claimed]:
        """Claim a batch: each lane its share, then what is missing from those that had more."""
        line.begin_anew(self._clock())
        lease = self._lease()
        enough = room / 2 if room >= lanes.ROOMY else room
        claimed: list[Claimed] = []
        missing, dry = room, set[int]()
        quotas = lanes.shares(line.channel, room, self._random, line.dry)
        while quotas:
            try:
                got, line.standing = self._store.claim(line.channel, quotas, lease, line.since)
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

    def _lapsed(self, line: _Line) -> Sequence[Claimed]:
        """Claim one route whose lease ran out, while nothing else of its channel is under way."""
        if line.flights:
            return []
        numbers = [lane.number for lane in lanes.of(line.channel)]
        hold = self._timing.holds[line.channel]
        lapsed = self._store.claim_lapsed(numbers, self._lease(), hold=hold)
        return [lapsed] if lapsed else []

    def _lease(self) -> Lease:
        return Lease(token=self._new_id(), seconds=self._timing.lease_seconds)


_URGENCY = attrgetter("lane")
"""The most urgent lane goes out first, where a rate spreads a batch over time."""
