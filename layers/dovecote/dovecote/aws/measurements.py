"""What deliveries came to, for metrics: counted by the batch, with a sample of their times."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

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

Choose = Callable[[Sequence[float], int], Sequence[float]]
"""Chooses so many of several values, each with the same chance."""

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


class Measurements:
    """The measurements since the last `take`."""

    def __init__(self, *, now: Callable[[], float], sample: Choose) -> None:
        self._now = now
        self._sample = sample
        self._lock = threading.Lock()
        self._begin()

    @property
    def age(self) -> float:
        """Return the seconds since the last `take`."""
        return self._now() - self._begun

    def _begin(self) -> None:
        self._begun = self._now()
        self._counts: Counter[tuple[str, type]] = Counter()
        self._values: dict[str, list[float]] = {name: [] for name in SAMPLED}

    def sent(self, seconds: float) -> None:
        """Record how long a channel's call took, from its rendering to the provider's answer."""
        with self._lock:
            self._values["send_seconds"].append(seconds)

    def settled(self, results: Sequence[Result]) -> None:
        """Record results after they are stored."""
        now = self._now()
        delivered = [one.claim for one in results if isinstance(one.outcome, Delivered)]
        with self._lock:
            outcomes = map(type, map(_OUTCOME, results))
            self._counts.update(zip(map(_CHANNEL, results), outcomes, strict=True))
            self._values["attempts_to_success"] += [claim.attempts for claim in delivered]
            self._values["delivery_seconds"] += [max(0.0, now - claim.due) for claim in delivered]

    def take(self) -> Mapping[str, Sequence[float]]:
        """Return the values of each metric that has any, at most `MOST` of each; start again."""
        with self._lock:
            counts, values = self._counts, self._values
            self._begin()
        counted = {
            f"{channel}_{OUTCOMES[outcome]}": [count]
            for (channel, outcome), count in counts.items()
            if outcome in OUTCOMES
        }
        sampled = {
            name: self._sample(several, min(MOST, len(several)))
            for name, several in values.items()
            if several
        }
        return counted | sampled
