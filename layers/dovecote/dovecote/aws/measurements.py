"""Measure deliveries by channel: outcomes counted by the batch, and a sample of their times."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter

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
"""The counted outcomes of a claim; a claim that no worker began has none of them."""

SAMPLED = ("attempts_to_success", "delivery_seconds", "send_seconds")
PAUSED = "paused"
OF_CHANNEL = (PAUSED, *OUTCOMES.values(), *SAMPLED)
"""The names of the metrics that have the dimension `channel`."""


_CHANNEL, _OUTCOME = attrgetter("claim.channel"), attrgetter("outcome")


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
        self._values: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def sent(self, channel: str, seconds: float) -> None:
        """Record how long a call of a channel took, from its rendering to the provider's answer."""
        with self._lock:
            self._values[channel, "send_seconds"].append(seconds)

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
        claims = [result.claim for result in results]
        self._values[channel, "attempts_to_success"] += [claim.attempts for claim in claims]
        self._values[channel, "delivery_seconds"] += [max(0.0, now - claim.due) for claim in claims]

    def take(self) -> Mapping[str, Values]:
        """Return the metrics of each channel, at most `MOST` values of each; start again."""
        with self._lock:
            counts, values = self._counts, self._values
            self._begin()
        taken: defaultdict[str, dict[str, Sequence[float]]] = defaultdict(dict)
        for (channel, outcome), count in counts.items():
            if outcome in OUTCOMES:
                taken[channel][OUTCOMES[outcome]] = [count]
        for (channel, name), several in values.items():
            taken[channel][name] = self._sample(several, min(MOST, len(several)))
        return taken


def with_pauses(taken: Mapping[str, Values], paused: Collection[str]) -> Mapping[str, Values]:
    """Return measurements with `paused` for each registered channel: 1 while it is paused."""
    pauses = {name: {PAUSED: [float(name in paused)]} for name in channels.NAMES}
    return {name: {**pauses.get(name, {}), **taken.get(name, {})} for name in {**pauses, **taken}}
