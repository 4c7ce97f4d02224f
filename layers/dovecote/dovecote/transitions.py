"""The life of a route: what each event makes of it, and how long a retry waits.

The table of docs/design.md, row by row. Nothing else decides a transition; the store carries
them out and the CHECK constraint of `notification_routes` says the same of a row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from dovecote.model import (
    Claim,
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Permanent,
    Reason,
)

Random = Callable[[], float]
"""A uniform random number in [0, 1), injected so that a test can name it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Publish:
    """To published, with the provider's id."""

    message_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """To retrying, due again after `delay` seconds, at most at expires_at."""

    delay: float
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """To dead_lettered, with a row in notification_dead_letters.

    `error` is None where the route ended without a send, and its last error stays.
    """

    reason: Reason
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveBack:
    """Unchanged but for its attempt, which is not counted."""


Transition = Publish | Retry | DeadLetter | GiveBack


def after(claim: Claim, outcome: Outcome, backoff: Backoff, random: Random) -> Transition:
    """Return what an outcome makes of a claimed route."""
    match outcome:
        case Delivered(message_id=message_id):
            return Publish(message_id=message_id)
        case Permanent(error=error):
            return DeadLetter(reason=Reason.PERMANENT, error=error)
        case Failed(error=error) if claim.attempts >= claim.max_attempts:
            return DeadLetter(reason=Reason.ATTEMPTS, error=error)
        case Failed(error=error):
            return Retry(delay=backoff.delay(claim.attempts, random), error=error)
        case NotBegun():
            return GiveBack()


def ended(claim: Claim) -> DeadLetter | None:
    """Return the end of a route that was claimed too late to be tried, or None."""
    if claim.expires_in <= 0:
        return DeadLetter(reason=Reason.EXPIRED, error=None)
    if not claim.counted:
        return DeadLetter(reason=Reason.ATTEMPTS, error=None)
    return None
