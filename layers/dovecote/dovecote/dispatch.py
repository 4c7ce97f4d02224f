"""Dispatch: claim due routes, deliver them, finalise them, until none is left or time is up.

Each channel has a line of its own, so that one that is slow, paced or paused holds up no other.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from dovecote import lanes
from dovecote.deliver import Deliver, Delivery
from dovecote.finalise import Finaliser
from dovecote.model import Channel, Claim, Lease, Slots, Standing
from dovecote.ports import Clock, Log, Sleep, Store, StoreBusy, StoreError, StoreUnavailable
from dovecote.rates import Rates
from dovecote.transitions import Random

LAPSED_SHARE = 0.2
"""The last part of a run, in which routes whose lease ran out go before fresh ones."""

FINALISE_SECONDS = 2.0
"""What is kept of the function's time to write down what happened."""

MARGIN_SECONDS = 0.5
"""What a function needs to return before it is ended."""

HORIZON_SECONDS = 2.0
"""How far ahead a worker reserves what a rate has room for; others wait no longer than that."""

LOOK_SECONDS = 0.5
"""How long a worker waits before it looks again at a channel that it may not use yet."""

GIVEN_BACK = "given_back"
INTERRUPTED = "interrupted"
TALLY = (
    "claimed", "published", "retrying", "dead_lettered", "skipped", GIVEN_BACK, INTERRUPTED,
)  # fmt: skip

TimeLeft = Callable[[], float]
"""The seconds until the function is ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
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
        with ThreadPoolExecutor(max_workers=len(Channel)) as executor:
            tallies = list(executor.map(lambda channel: self._run(channel, time_left), Channel))
        return {name: sum(tally[name] for tally in tallies) for name in TALLY}

    def _run(self, channel: Channel, time_left: TimeLeft) -> Counter[str]:
        tally: Counter[str] = Counter()
        last_part = max(time_left() * LAPSED_SHARE, 2 * self._timing.least)
        try:
            while (left := time_left()) > self._timing.least:
                if not self._step(channel, left, last_part, tally):
                    break
        except (StoreUnavailable, StoreBusy) as error:
            self._log.error("database out of reach", channel=channel, error=str(error))
            tally[INTERRUPTED] += 1
        return tally

    def _step(self, channel: Channel, left: float, last_part: float, tally: Counter[str]) -> bool:
        """Deliver one batch, or wait for the channel; return whether to go on."""
        ends = self._clock() + left
        standing = self._store.stand(channel)
        if channel in standing.paused:
            return self._behind_pause(standing, ends, tally)
        tried = self._tried(standing)
        if tried is None:
            return self._wait(LOOK_SECONDS, ends)
        slots = self._reserved(standing, 1 if tried else self._timing.batch_size)
        if not slots.room:
            self._give_up(standing, slots, 0, tried)
            return self._wait(min(LOOK_SECONDS, slots.wait), ends)
        leased_at = self._clock()
        last = left <= last_part
        claims = self._claim(channel, slots.room, lapsed_first=last)
        self._give_up(standing, slots, slots.room - len(claims), tried if not claims else ())
        if not claims:
            return False
        # A batch leaves the last part the time of one send.
        sent_by = ends - FINALISE_SECONDS - (0 if last else self._timing.least)
        delivery = self._deliver(
            claims,
            standing=standing,
            slots=slots,
            deadline=min(leased_at + self._timing.lease_seconds, sent_by),
            tried=tried,
        )
        self._finish(delivery, len(claims), ends, tally)
        return True

    def _finish(self, delivery: Delivery, claimed: int, ends: float, tally: Counter[str]) -> None:
        tally["claimed"] += claimed
        until = ends - MARGIN_SECONDS
        settled = self._finaliser.conclude(self._store, delivery, until=until)
        tally.update(route.status or GIVEN_BACK for route in settled)

    def _behind_pause(self, standing: Standing, ends: float, tally: Counter[str]) -> bool:
        """End what expired while its channel is paused; else wait, where that is worth it."""
        numbers = [lane.number for lane in lanes.of(Channel(standing.channel))]
        hold = self._timing.holds[standing.channel]
        claims = self._store.claim_expired(
            numbers, self._lease(), hold=hold, limit=self._timing.batch_size
        )
        if not claims:
            return self._wait(min(LOOK_SECONDS, standing.paused_for), ends - standing.paused_for)
        delivery = self._deliver(
            claims, standing=standing, slots=Slots(room=0), deadline=self._clock()
        )
        self._finish(delivery, len(claims), ends, tally)
        return True

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
        if self._rates.of(standing) is None:
            return Slots(room=wanted)
        return self._store.reserve(standing.channel, wanted, self._timing.horizon)

    def _give_up(
        self, standing: Standing, slots: Slots, unused: int, tried: Collection[str]
    ) -> None:
        """Give back what was reserved and is not used."""
        if unused and slots.slots is not None:
            self._store.release_slots(standing.channel, slots, unused)
        for resource in tried:
            self._store.leave_untried(resource)

    def _wait(self, seconds: float, ends: float) -> bool:
        """Wait, where a send still fits in before the end; return whether it does."""
        if self._clock() + seconds + self._timing.least >= ends:
            return False
        # By chance, so that many that wait do not look in the same moment.
        self._sleep(seconds * (0.5 + self._random() / 2))
        return True

    def _claim(self, channel: Channel, room: int, *, lapsed_first: bool) -> list[Claim]:
        """Claim a batch of fresh routes, or one alone whose lease ran out.

        Lapsed ones come last: one that kills its worker burns its own attempts and nobody else's.
        But under a backlog that outlasts the run they come first in its last part, so that they
        move at all.
        """
        if lapsed_first:
            return self._lapsed(channel) or self._fresh(channel, room)
        return self._fresh(channel, room) or self._lapsed(channel)

    def _fresh(self, channel: Channel, room: int) -> list[Claim]:
        """Claim a batch: each lane its share, then what is missing from those that had more."""
        lease = self._lease()
        claims: list[Claim] = []
        dry: set[int] = set()
        quotas = lanes.shares(channel, room, self._random)
        while quotas:
            try:
                got = self._store.claim(quotas, lease)
            except StoreError:
                if not claims:
                    raise
                break  # what is claimed already is not left to lapse
            claims += got
            counts = Counter(claim.lane for claim in got)
            dry |= {lane for lane, quota in quotas.items() if counts[lane] < quota}
            quotas = lanes.rest(channel, room - len(claims), dry)
        return sorted(claims, key=lambda claim: _URGENCY[claim.lane])

    def _lapsed(self, channel: Channel) -> list[Claim]:
        numbers = [lane.number for lane in lanes.of(channel)]
        hold = self._timing.holds[channel]
        claim = self._store.claim_lapsed(numbers, self._lease(), hold=hold)
        return [] if claim is None else [claim]

    def _lease(self) -> Lease:
        return Lease(token=self._new_id(), seconds=self._timing.lease_seconds)


_URGENCY = {lane.number: place for place, lane in enumerate(lanes.ALL)}
"""The most urgent lane goes out first, where a rate spreads a batch over time."""
