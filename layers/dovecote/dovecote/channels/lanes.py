"""Lanes: which due routes a claim takes, and how many of each.

A lane is channel, priority and fresh or retry, one small number that a constraint of the database
holds live routes to (`notification_routes.lane`); a test holds both to each other.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, product

from msgspec import Struct

from dovecote.channels import NAMES, NUMBERS
from dovecote.core.backoff import Random
from dovecote.core.notification import Priority

PRIORITIES: Mapping[Priority, int] = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

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

_PROBE = 0.01
"""How much of its share a lane is asked for that had run dry: the others have the rest."""

ROOMY = 64
"""From how many on a batch has room for each lane's probe: so new work is found by the next one."""


class Lane(Struct, frozen=True, kw_only=True):
    """One line of due routes."""

    channel: str
    priority: Priority
    retry: bool

    @property
    def number(self) -> int:
        """Return the number that live routes of this lane hold: a channel's by their urgency."""
        return NUMBERS[self.channel] * 6 + PRIORITIES[self.priority] * 2 + int(self.retry)


ALL: Sequence[Lane] = tuple(
    Lane(channel=channel, priority=priority, retry=retry)
    for priority, retry, channel in product(Priority, (False, True), NAMES)
)
"""Every lane, the most urgent first."""


def of(channel: str) -> list[Lane]:
    """Return the lanes of a channel, the most urgent first."""
    return [lane for lane in ALL if lane.channel == channel]


def shares(channel: str, room: int, random: Random, dry: Collection[int] = ()) -> dict[int, int]:
    """Return how many routes of each of a channel's lanes the first claim of a batch asks for.

    The sum is `room`. What is left of whole numbers goes by chance, each lane's as large as its
    share: so each moves, and has its share, also where a low rate has room for one or two. In a
    roomy batch the lanes that were `dry` in the one before are asked for a few, so that the batch
    is nearly full at the first claim.
    """
    probes = _probes(channel, room, dry)
    wet = [lane for lane in of(channel) if lane.number not in probes]
    room -= sum(probes.values())
    whole = sum(map(_share, wet))
    exact = {lane.number: room * _share(lane) / whole for lane in wet}
    quotas = {number: int(quota) for number, quota in exact.items()}
    left = {number: quota - quotas[number] for number, quota in exact.items()}
    for number in _drawn(left, room - sum(quotas.values()), random):
        quotas[number] += 1
    return _asked(quotas | probes)


def _probes(channel: str, room: int, dry: Collection[int]) -> dict[int, int]:
    """Return what the dry lanes are asked for: nothing of their own where that is all, or many."""
    own = [lane for lane in of(channel) if lane.number in dry]
    if room < ROOMY or len(own) == len(of(channel)):
        return {}
    return {lane.number: max(1, int(room * _share(lane) * _PROBE)) for lane in own}


def rest(channel: str, missing: int, dry: Collection[int]) -> dict[int, int]:
    """Return how a batch that lacks `missing` routes is filled from the lanes that are not dry."""
    busy = [lane.number for lane in of(channel) if lane.number not in dry]
    if missing <= 0 or not busy:
        return {}
    quotas = dict.fromkeys(busy, missing // len(busy))
    for number in islice(busy, missing % len(busy)):
        quotas[number] += 1
    return _asked(quotas)


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


def _asked(quotas: Mapping[int, int]) -> dict[int, int]:
    return {number: quota for number, quota in quotas.items() if quota}
