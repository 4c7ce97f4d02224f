"""How many claims a batch needs so that enough bulk calls are in flight.

Little's law: what is in flight is the rate times the seconds of a call. A worker has two batches in
flight, so that each gets half of the threads, and all calls of both begin at once.
"""

from collections.abc import Sequence

from msgspec import Struct

from dovecote.core.claim import Claim

MOST_PER_SECOND = 5_000.0
"""What one worker can send at most, by its CPU: docs/performance.md."""

MOST_CLAIMS = 500
"""The most claims of a batch: more save nothing, and a worker that dies leaves their leases."""

MOST_BYTES = 8 * 1024 * 1024
"""The most that the payloads of a batch should hold."""

PATIENCE = 0.125
"""The share of a call's time limit that calls may take on average while calls are added.

An overloaded provider or worker takes longer for each call that is added. Without this limit calls
would be added until they exceed their time limit, and emails would be accepted twice.
"""

WEIGHT = 0.25
"""What the last call counts in the mean of the calls before it."""


class BulkCalls(Struct):
    """The recent calls of a channel that sends in bulk. Threads share it.

    `time_limit` is that of a call, in seconds, and `seconds` is the mean of a call. `claims` are
    those of a call in the last batch, and `bytes` the payload of one. A race of two threads loses
    one of many calls.
    """

    time_limit: float
    seconds: float = 0.0
    claims: float = 1.0
    bytes: float = 0.0

    def begin(self, claims: Sequence[Claim], calls: int) -> None:
        """Note how a batch was divided."""
        if claims:
            payloads = sum(len(one.payload) + len(one.data or "") for one in claims)
            self.claims, self.bytes = len(claims) / calls, payloads / len(claims)

    def ended(self, seconds: float) -> None:
        """Note how long a call took."""
        before = self.seconds or seconds
        self.seconds = before + WEIGHT * (seconds - before)

    def wanted(self, rate: float | None, workers: int) -> int:
        """Return how many claims a batch should have at this rate and with so many threads.

        It is 0 where calls are too slow to add any.
        """
        if self.seconds > PATIENCE * self.time_limit:
            return 0
        per_second = MOST_PER_SECOND if rate is None else min(rate, MOST_PER_SECOND)
        return int(
            min(
                per_second * self.seconds,
                self.claims * (workers // 2),
                MOST_CLAIMS,
                MOST_BYTES / max(1.0, self.bytes),
            )
        )
