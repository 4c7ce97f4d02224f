"""Detect congestion among isolated throttle answers, and the share of the rate that was accepted.

A provider that many applications share refuses single requests at random, which is no reason to
slow down. A rate that is too high shows in the share of refusals. The test is a one-sided CUSUM
(E. S. Page, 1954): each refusal adds 1, each acceptance takes off 1/25, and the sum is never below
0. A share of refusals below 4 % keeps falling back to 0, and a larger one soon reaches the
threshold.

Requests and entries of bulk requests are counted apart: a bulk request that is refused as a whole
is one refusal, and 50 accepted entries of another do not outweigh it.
"""

from msgspec import Struct

from dovecote.core.channel_state import Throttling

THRESHOLD = 3.0
"""Net refusals that count as congestion: 3 among a few sends, 4 among 25, 5 among 50."""

PROBING_THRESHOLD = 1.0
"""The same above the rate that was refused last: there the first refusal confirms the limit."""

TOLERATED_SHARE = 1 / 25
"""The share of refusals that is no congestion, however long it lasts."""

REFUSED = 5.0
"""Net refusals without any acceptance, after which the provider counts as refusing all."""


class _Counter(Struct):
    """A CUSUM over answers, and the share that was accepted after the first refusal."""

    score: float
    accepted: int = 0
    refused: int = 0
    accepted_since: int = 0
    answers_since: int = 0

    def count(self, accepted: int, refused: int) -> None:
        if self.refused:
            self.accepted_since += accepted
            self.answers_since += accepted + refused
        self.accepted += accepted
        self.refused += refused
        self.score = max(0.0, self.score + refused - accepted * TOLERATED_SHARE)

    @property
    def accepted_share(self) -> float:
        """Return the share, by the rule of succession: few answers say little."""
        return (self.accepted_since + 1) / (self.answers_since + 2) if self.refused else 1.0


class Congestion:
    """The answers to one batch, counted from where earlier batches left off."""

    def __init__(self, before: Throttling) -> None:
        self._before = before
        self._threshold = PROBING_THRESHOLD if before.probing else THRESHOLD
        self._requests = _Counter(before.requests)
        self._entries = _Counter(before.entries)

    def count(self, accepted: int, throttled: int, *, of_many: bool) -> None:
        """Count one request's answer: how many of its messages were accepted and throttled.

        A request that was refused as a whole has `throttled` 1. `of_many`: it had several entries.
        """
        if accepted or throttled:
            self._requests.count(int(accepted > 0), int(not accepted))
        if of_many and accepted:
            self._entries.count(accepted, throttled)

    @property
    def detected(self) -> bool:
        """Return whether so many requests or entries were refused that the rate is too high."""
        return self.throttled > 0 and self._score >= self._threshold

    @property
    def refuses_all(self) -> bool:
        """Return whether the provider accepts nothing at all."""
        return self.detected and not self.accepted and self._score >= REFUSED

    @property
    def is_news(self) -> bool:
        """Return whether other workers need to know these counts."""
        return self.throttled > 0 or (self.accepted > 0 and self._before.score > 0)

    @property
    def accepted(self) -> int:
        """Return how many requests were accepted, at least in part."""
        return self._requests.accepted

    @property
    def throttled(self) -> int:
        """Return how many requests and entries were refused."""
        return self._requests.refused + self._entries.refused

    @property
    def accepted_share(self) -> float:
        """Return the share of answers after the first refusal that were acceptances."""
        return min(self._requests.accepted_share, self._entries.accepted_share)

    def counts(self) -> dict[str, int]:
        """Return the acceptances and refusals of requests, and of entries of bulk requests."""
        return {
            "accepted_requests": self._requests.accepted,
            "throttled_requests": self._requests.refused,
            "accepted_entries": self._entries.accepted,
            "throttled_entries": self._entries.refused,
        }

    @property
    def _score(self) -> float:
        return max(self._requests.score, self._entries.score)
