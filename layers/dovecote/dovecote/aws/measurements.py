"""Measure deliveries by channel: outcomes counted by the batch, and a sample of their times."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar

from dovecote import channels
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    Permanent,
    Result,
    Throttled,
    Unavailable,
    Unreachable,
)

Choose = Callable[[Sequence[float], int], Sequence[float]]
"""Chooses so many of several values, each with the same chance."""

Values = Mapping[str, Sequence[float]]
"""The values of each metric, by its name."""

T = TypeVar("T")

MOST = 99
"""How many values of a metric a line takes; CloudWatch takes at most a hundred."""

MOST_KEPT = 1000
"""How many values of a metric are kept until then."""

OUTCOMES: Mapping[type, str] = {
    Delivered: "delivered",
    Failed: "failed",
    Permanent: "permanent",
    Throttled: "throttled",
    Unavailable: "unavailable",
    Ambiguous: "ambiguous",
    Unreachable: "unreachable",
}
"""The counted outcomes of a claim; a claim that no worker began has none of them."""

SAMPLED = ("attempts_to_success", "delivery_seconds", "send_seconds")
PAUSED = "paused"
OF_CHANNEL = (PAUSED, *OUTCOMES.values(), *SAMPLED)
"""The names of the metrics that have the dimension `channel`."""


_CHANNEL, _OUTCOME = attrgetter("claim.channel"), attrgetter("outcome")
_ATTEMPTS = attrgetter("claim.attempts")


class Sample:
    """Values of a metric: all of them, or every second, fourth and so on where there are many."""

    def __init__(self) -> None:
        self.kept: list[float] = []
        self._distance = 1
        self._count = 0

    def add(self, values: Sequence[T], of: Callable[[T], float]) -> None:
        """Add what `of` returns for values."""
        self.kept += map(of, values[-self._count % self._distance :: self._distance])
        self._count += len(values)
        while len(self.kept) > MOST_KEPT:
            self.kept = self.kept[::2]
            self._distance *= 2


class Measurements:
    """The measurements of each channel since they were last taken."""

    def __init__(self, *, now: Callable[[], float], sample: Choose) -> None:
        self._now = now
        self._sample = sample
        self._lock = threading.Lock()
        self._begin()

    @property
    def age(self) -> float:
        """Return for how many seconds it was not taken."""
        return self._now() - self._begun

    def _begin(self) -> None:
        self._begun = self._now()
        self._counts: Counter[tuple[str, type]] = Counter()
        self._samples: defaultdict[tuple[str, str], Sample] = defaultdict(Sample)

    def sent(self, channel: str, seconds: float) -> None:
        """Record how long a call of a channel took, from its rendering to the provider's answer."""
        with self._lock:
            self._samples[channel, "send_seconds"].add([seconds], float)

    def settled(self, results: Sequence[Result]) -> None:
        """Record results that are stored."""
        delivered: defaultdict[str, list[Result]] = defaultdict(list)
        for result in results:
            if isinstance(result.outcome, Delivered):
                delivered[result.claim.channel].append(result)
        with self._lock:
            outcomes = map(type, map(_OUTCOME, results))
            self._counts.update(zip(map(_CHANNEL, results), outcomes, strict=True))
            for channel, own in delivered.items():
                self._delivered(channel, own)

    def _delivered(self, channel: str, results: Sequence[Result]) -> None:
        now = self._now()
        self._samples[channel, "attempts_to_success"].add(results, _ATTEMPTS)
        self._samples[channel, "delivery_seconds"].add(
            results, lambda result: max(0.0, now - result.claim.due)
        )

    def take(self) -> Mapping[str, Values]:
        """Return the metrics of each channel, at most `MOST` values of each; start again."""
        with self._lock:
            counts, samples = self._counts, self._samples
            self._begin()
        taken: defaultdict[str, dict[str, Sequence[float]]] = defaultdict(dict)
        for (channel, outcome), count in counts.items():
            if outcome in OUTCOMES:
                taken[channel][OUTCOMES[outcome]] = [count]
        for (channel, name), several in samples.items():
            taken[channel][name] = self._sample(several.kept, min(MOST, len(several.kept)))
        return taken


def with_pauses(taken: Mapping[str, Values], paused: Collection[str]) -> Mapping[str, Values]:
    """Return measurements with `paused` for each registered channel: 1 while it is paused."""
    pauses = {name: {PAUSED: [float(name in paused)]} for name in channels.NAMES}
    return {name: {**pauses.get(name, {}), **taken.get(name, {})} for name in {**pauses, **taken}}
