"""How much is measured, and in which order: rounds that go through all in a random one."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bench.report import Rounds

T = TypeVar("T")
Measured = Mapping[str, Rounds]


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured, and how often."""

    rounds: int
    jobs: int
    one_by_one: int
    bulk_calls: int
    slow: int
    memory: int
    # Routes beside those that are due, and batches of these.
    beside: int
    batches: int
    old_snapshot: int
    grown: int
    # Seconds of a steady rate, and emails of the same job.
    steady: float
    emails: int
    starts: int


FULL = Size(
    rounds=3,
    jobs=30_000,
    one_by_one=1_000,
    bulk_calls=20,
    slow=20_000,
    memory=100_000,
    beside=1_000_000,
    batches=40,
    old_snapshot=60_000,
    grown=60_000,
    steady=112,
    emails=2_000,
    starts=11,
)
QUICK = Size(
    rounds=1,
    jobs=6_000,
    one_by_one=200,
    bulk_calls=2,
    slow=500,
    memory=10_000,
    beside=10_000,
    batches=10,
    old_snapshot=6_000,
    grown=8_000,
    steady=8,
    emails=200,
    starts=2,
)


def rounds(count: int, series: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Measure each of a series in each round, in an order of its own."""
    found: dict[str, list[T]] = {name: [] for name in series}
    for _ in range(count):
        for name in random.sample(list(series), k=len(series)):
            found[name].append(series[name]())
    return found
