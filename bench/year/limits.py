"""Compare the blocks of each operation with its limits. No I/O."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

Kind = Literal["flat", "logarithmic", "linear", "bounded"]

GROWTH: Mapping[Kind, float] = {"flat": 0.2, "logarithmic": 0.5, "linear": 0.5, "bounded": math.inf}
"""The share by which the blocks of a unit may grow when a table is ten times as large.

An index has one more level when it is some hundred times as large. An operation that is linear in
its own size passes the levels of the indexes once for each unit. A bounded operation stops at a
number of rows, which a small table may not have.
"""

SLACK = 10.0
"""Blocks of a statement that never count as growth: a page may be split or not."""


class Measured(Struct, frozen=True, kw_only=True):
    """The totals of an operation at a stage, for `units` of its own size.

    `hit` are blocks found in PostgreSQL's buffers, `read` blocks read into them. `wal` is in bytes,
    `ms` the time of the statements in the server.
    """

    operation: str
    units: int
    calls: int
    hit: int
    read: int
    dirtied: int
    wal: int
    ms: float

    @property
    def blocks(self) -> float:
        """Return the blocks of a unit."""
        return (self.hit + self.read) / self.units

    @property
    def slack(self) -> float:
        """Return the blocks of a unit that never count as growth."""
        return SLACK * min(1, self.calls / self.units)


class Rule(Struct, frozen=True, kw_only=True):
    """How the blocks of a unit of an operation may grow, and the most that there may be.

    They may also be at most `times` the blocks of `compared_to`, another operation of the stage.
    """

    kind: Kind
    most: float
    compared_to: str = ""
    times: float = 1.5


Stage = Mapping[str, Measured]
"""The measured operations of a stage by name."""


def exceeded(rules: Mapping[str, Rule], stages: Mapping[int, Stage]) -> list[str]:
    """Return a sentence for each exceeded limit; `stages` are by size."""
    return [
        sentence
        for operation, rule in rules.items()
        for sentence in (
            *_absolute(operation, rule, stages),
            *_growth(operation, rule, stages),
            *_compared(operation, rule, stages),
        )
    ]


def unmatched(rules: Mapping[str, Rule], stages: Mapping[int, Stage]) -> list[str]:
    """Return the operations that have no rule, and the rules that have no operation."""
    measured = {operation for stage in stages.values() for operation in stage}
    return sorted(measured ^ rules.keys())


def _absolute(operation: str, rule: Rule, stages: Mapping[int, Stage]) -> Iterator[str]:
    for size, stage in stages.items():
        blocks = stage[operation].blocks
        if blocks > rule.most:
            yield f"{operation}: {blocks:,.1f} blocks at {size:,}, more than {rule.most:,.0f}"


def _growth(operation: str, rule: Rule, stages: Mapping[int, Stage]) -> Iterator[str]:
    sizes: Sequence[int] = sorted(stages)
    smallest, largest = (stages[size][operation] for size in (sizes[0], sizes[-1]))
    first, last = smallest.blocks, largest.blocks
    decades = math.log10(sizes[-1] / sizes[0])
    if decades and last > first * (1 + GROWTH[rule.kind] * decades) + largest.slack:
        yield (
            f"{operation}: must be {rule.kind}, and went from {first:,.1f} blocks at {sizes[0]:,}"
            f" to {last:,.1f} at {sizes[-1]:,}"
        )


def _compared(operation: str, rule: Rule, stages: Mapping[int, Stage]) -> Iterator[str]:
    for size, stage in stages.items() if rule.compared_to else ():
        own, other = stage[operation].blocks, stage[rule.compared_to].blocks
        if own > rule.times * other + stage[operation].slack:
            yield (
                f"{operation}: {own:,.1f} blocks at {size:,}, more than {rule.times:g} times the"
                f" {other:,.1f} of {rule.compared_to}"
            )
