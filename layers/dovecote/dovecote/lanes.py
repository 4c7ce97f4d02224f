"""Lanes: which due routes a claim takes, and how many of each.

A lane is channel, priority and fresh or retry, one small number that the database generates
too (`notification_routes.lane`); a test holds both to each other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, product

from dovecote.model import Channel, Priority

CHANNELS: Mapping[Channel, int] = {Channel.EMAIL: 0, Channel.PUSH: 1}
PRIORITIES: Mapping[Priority, int] = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

_SHARES: Mapping[Priority, float] = {
    Priority.HIGH: 0.5,
    Priority.NORMAL: 0.3,
    Priority.LOW: 0.2,
}
"""What each priority is sure of when all have more due than a batch holds."""

_RETRY_SHARE = 0.5
"""Retries get at most half of each share, so that they do not starve new work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One line of due routes."""

    channel: Channel
    priority: Priority
    retry: bool

    @property
    def number(self) -> int:
        """Return the number that the generated column holds."""
        return CHANNELS[self.channel] * 6 + PRIORITIES[self.priority] * 2 + int(self.retry)


ALL: Sequence[Lane] = tuple(
    Lane(channel=channel, priority=priority, retry=retry)
    for priority, retry, channel in product(Priority, (False, True), Channel)
)
"""Every lane, the most urgent first."""


def shares(batch: int) -> dict[int, int]:
    """Return how many routes of each lane the first claim of a batch asks for.

    From a batch of one a lane on, every lane is asked for at least one; the sum never exceeds
    the batch.
    """
    floor = 1 if batch >= len(ALL) else 0
    quotas = {lane.number: max(floor, int(batch * _share(lane))) for lane in ALL}
    return _dealt(quotas, batch - sum(quotas.values()))


def rest(missing: int, dry: Collection[int]) -> dict[int, int]:
    """Return how a batch that lacks `missing` routes is filled from the lanes that are not dry."""
    busy = [lane.number for lane in ALL if lane.number not in dry]
    if missing <= 0 or not busy:
        return {}
    return _dealt(dict.fromkeys(busy, missing // len(busy)), missing % len(busy))


def _share(lane: Lane) -> float:
    half = _RETRY_SHARE if lane.retry else 1 - _RETRY_SHARE
    return _SHARES[lane.priority] * half / len(CHANNELS)


def _dealt(quotas: dict[int, int], left: int) -> dict[int, int]:
    """Deal what is left out one by one, the most urgent lane first; drop lanes with nothing."""
    for number in islice(cycle(list(quotas)), left):
        quotas[number] += 1
    return {number: quota for number, quota in quotas.items() if quota}
