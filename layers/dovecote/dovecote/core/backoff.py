"""Backoff: how long a route waits before its next attempt."""

import math
from collections.abc import Callable

from msgspec import Struct

Random = Callable[[], float]
"""A uniform random number in [0, 1), injected so that a test can name it."""


class Backoff(Struct, frozen=True, kw_only=True):
    """How long a failed route waits: seconds, and the jitter as a share of the delay."""

    base: float
    factor: float
    maximum: float
    jitter: float

    def delay(self, attempt: int, random: Random) -> float:
        """Return the seconds to wait after this attempt, counted from 1."""
        plain = min(self.maximum, self._grown(attempt))
        if self.jitter <= 0:
            return max(0.0, plain)
        return max(0.0, plain * (1 + self.jitter * (2 * random() - 1)))

    def _grown(self, attempt: int) -> float:
        if attempt <= 1 or self.base <= 0:
            return self.base
        try:
            grown = self.base * math.pow(self.factor, attempt - 1)
        except OverflowError:
            return self.maximum
        return grown
