"""Lanes: which due routes a claim takes, and how many of each.

A lane is channel, priority, bucket and fresh or retry, one small number that a constraint of the
database holds live routes to (`notification_routes.lane`); a test holds both to each other. Each
kind of a priority has a bucket, so that no kind waits for another kind's backlog. ADR 47.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product

from msgspec import Struct

from dovecote.channels import NAMES, NUMBERS
from dovecote.core.backoff import Random
from dovecote.core.notification import Priority

PRIORITIES: Mapping[Priority, int] = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

BUCKETS = 8
"""How many kinds of a priority have a bucket of their own; more share these.

The constraints of channels.number and notification_routes.lane contain it.
"""

_SHARES: Mapping[Priority, float] = {
    Priority.HIGH: 0.5,
    Priority.NORMAL: 0.3,
    Priority.LOW: 0.2,
}
"""What each priority is sure of when all have more due than a batch holds."""

_ROUNDING = 1e-9
"""The weights add up to a whole number but for the errors of floating point."""

_RETRY_SHARE = 0.5
"""Retries get at most half of each share, so that they do not starve new work."""


class Lane(Struct, frozen=True, kw_only=True):
    """One line of due routes.

    A lane of `scheduled` routes to users has a negative number: no claim reads it, and the routes
    leave it when they are expanded. ADR 51.
    """

    channel: str
    priority: Priority
    bucket: int = 0
    retry: bool = False
    scheduled: bool = False

    @property
    def number(self) -> int:
        """Return the number that live routes of this lane hold: a channel's by their urgency."""
        priority = NUMBERS[self.channel] * len(PRIORITIES) + PRIORITIES[self.priority]
        number = (priority * BUCKETS + self.bucket) * 2 + int(self.retry)
        return -2 - number if self.scheduled else number


ALL: Sequence[Lane] = tuple(
    Lane(channel=channel, priority=priority, bucket=bucket, retry=retry)
    for priority, bucket, retry, channel in product(Priority, range(BUCKETS), (False, True), NAMES)
)
"""Every lane that claims read, the most urgent first."""

SCHEDULED: Sequence[Lane] = tuple(
    Lane(channel=channel, priority=priority, bucket=bucket, scheduled=True)
    for priority, bucket, channel in product(Priority, range(BUCKETS), NAMES)
)
"""Every lane of scheduled routes to users, the most urgent first."""


def of(channel: str) -> list[Lane]:
    """Return the lanes of a channel, the most urgent first."""
    return [lane for lane in ALL if lane.channel == channel]


def shares(busy: Collection[int], room: int, random: Random) -> dict[int, int]:
    """Return how many routes of each of a channel's busy lanes a claim asks for.

    The sum is `room`. The buckets of a priority share alike. What is left of whole numbers goes by
    chance, each lane's as large as its share: so each moves, and has its share, also where a low
    rate has room for one or two.
    """
    weights = _weights([lane for lane in ALL if lane.number in busy])
    whole = sum(weights.values())
    exact = {number: room * weight / whole for number, weight in weights.items()}
    quotas = {number: int(quota) for number, quota in exact.items()}
    left = {number: quota - quotas[number] for number, quota in exact.items()}
    for number in _drawn(left, room - sum(quotas.values()), random):
        quotas[number] += 1
    return {number: quota for number, quota in quotas.items() if quota}


def _weights(lanes: Sequence[Lane]) -> dict[int, float]:
    alike = Counter((lane.priority, lane.retry) for lane in lanes)
    return {lane.number: _share(lane) / alike[lane.priority, lane.retry] for lane in lanes}


def _share(lane: Lane) -> float:
    return _SHARES[lane.priority] * (_RETRY_SHARE if lane.retry else 1 - _RETRY_SHARE)


def _drawn(weights: Mapping[int, float], count: int, random: Random) -> Iterator[int]:
    """Draw so many lanes, each as likely as its weight (systematic sampling: one random number)."""
    at, upto = random(), 0.0
    for number, weight in weights.items():
        upto += weight
        while count and at < upto + _ROUNDING:
            yield number
            at, count = at + 1, count - 1
