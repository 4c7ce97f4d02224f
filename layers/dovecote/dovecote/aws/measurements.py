"""What deliveries came to, for metrics: counted by the batch, with a sample of their times."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar

from dovecote.core.backoff import Random
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
from dovecote.core.route import Channel

T = TypeVar("T")

MOST = 99
"""How many values a metric keeps; a line takes less than a hundred of one."""

OUTCOMES: Mapping[type, str] = {
    Delivered: "delivered",
    Failed: "failed",
    Permanent: "permanent",
    Throttled: "throttled",
    Unavailable: "unavailable",
    Ambiguous: "ambiguous",
    Unreachable: "unreachable",
}
"""What is counted of each channel; what was not begun came to nothing."""

SAMPLED = ("attempts_to_success", "delivery_seconds", "send_seconds")
MEASURED = (*(f"{channel}_{word}" for channel in Channel for word in OUTCOMES.values()), *SAMPLED)
"""The names of all that is measured."""


_CHANNEL, _OUTCOME = attrgetter("claim.channel"), attrgetter("outcome")


class _Sample:
    """Values of which each had the same chance to be kept; those that are not are not looked at.

    Li's algorithm L: it counts ahead to the next one that is kept.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._seen = 0
        self._next = 0
        self._share = 1.0
        self.values: list[float] = []

    def chosen(self, count: int) -> Iterator[int]:
        """Yield the places of those that are to be kept, of so many more."""
        begun = self._seen
        self._seen += count
        while self._next < self._seen:
            yield self._next - begun
            self._advance()

    def keep(self, value: float) -> None:
        """Keep a value, in the place of another where there is no more room."""
        if len(self.values) < MOST:
            self.values.append(value)
        else:
            self.values[int(self._random() * MOST)] = value

    def _advance(self) -> None:
        self._next += 1
        if self._next >= MOST:
            self._share *= self._chance() ** (1 / MOST)
            self._next += int(math.log(self._chance()) / math.log1p(-self._share))

    def _chance(self) -> float:
        """Return a number between 0 and 1 that is neither."""
        return min(max(self._random(), 1e-12), 1 - 1e-12)


class Measurements:
    """What was measured since it was last taken."""

    def __init__(self, *, now: Callable[[], float], random: Random) -> None:
        self._now = now
        self._random = random
        self._lock = threading.Lock()
        self._begin()

    @property
    def age(self) -> float:
        """Return for how many seconds it was not taken."""
        return self._now() - self._begun

    def _begin(self) -> None:
        self._begun = self._now()
        self._counts: Counter[tuple[str, type]] = Counter()
        self._samples = {name: _Sample(self._random) for name in SAMPLED}

    def sent(self, seconds: float) -> None:
        """Take how long a call of a channel took, from its rendering to the provider's answer."""
        with self._lock:
            self._sample("send_seconds", [seconds], float)

    def settled(self, results: Sequence[Result]) -> None:
        """Take results that are written down."""
        now = self._now()
        delivered = [result for result in results if isinstance(result.outcome, Delivered)]
        with self._lock:
            outcomes = map(type, map(_OUTCOME, results))
            self._counts.update(zip(map(_CHANNEL, results), outcomes, strict=True))
            self._sample("attempts_to_success", delivered, lambda one: one.claim.attempts)
            self._sample("delivery_seconds", delivered, lambda one: max(0.0, now - one.claim.due))

    def _sample(self, name: str, taken: Sequence[T], value: Callable[[T], float]) -> None:
        sample = self._samples[name]
        for place in sample.chosen(len(taken)):
            sample.keep(value(taken[place]))

    def take(self) -> Mapping[str, Sequence[float]]:
        """Return the values of each metric that has any, and begin anew."""
        with self._lock:
            counts, samples = self._counts, self._samples
            self._begin()
        counted = {
            f"{channel}_{OUTCOMES[outcome]}": [count]
            for (channel, outcome), count in counts.items()
            if outcome in OUTCOMES
        }
        return counted | {name: kept.values for name, kept in samples.items() if kept.values}
