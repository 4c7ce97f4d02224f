"""Write the measurements as tables."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bench.report import Table, markdown, number
from bench.year.limits import Measured, Rule
from bench.year.limits import Stage as ByOperation

if TYPE_CHECKING:
    from bench.year.stage import Stage


def growth(stages: Mapping[int, ByOperation], rules: Mapping[str, Rule]) -> str:
    """Return a table of the blocks of a unit of each operation at each stage."""
    sizes = sorted(stages)
    return markdown(
        Table(
            title="Blocks by stage",
            note="Blocks that a unit of each operation touches, hit in the buffers or read.",
            columns=(*(f"{size:,}" for size in sizes), "must be", "at most"),
            rows={
                name: (
                    *(number(stages[size][name].blocks) for size in sizes),
                    rules[name].kind if name in rules else "",
                    number(rules[name].most) if name in rules else "",
                )
                for name in stages[sizes[0]]
            },
        )
    )


def stage_tables(stage: "Stage") -> str:
    """Return tables of the bytes of a notification and the cost of a unit of each operation."""
    words = f"{stage.notifications:,} notifications"
    storage = Table(
        title=f"Bytes of a notification, {words}",
        note=f"By table and index, after VACUUM. Filled in {stage.seconds:,.0f} s.",
        columns=("bytes",),
        rows={
            name: (number(size / stage.notifications),)
            for name, size in {"all": sum(stage.storage.values()), **stage.storage}.items()
        },
    )
    operations = Table(
        title=f"Operations, {words}",
        note="For each unit: blocks, bytes of WAL (0 for a single statement), milliseconds in the"
        " server.",
        columns=("units", "blocks hit", "read", "dirtied", "WAL", "ms"),
        rows={one.operation: tuple(_cells(one)) for one in stage.operations},
    )
    rates = "".join(f"{name}: {number(rate)}\n" for name, rate in stage.rates.items())
    return f"\n{markdown(storage)}\n{markdown(operations)}\n{rates}\n"


def _cells(one: Measured) -> Iterator[str]:
    yield f"{one.units:,}"
    for value in (one.hit, one.read, one.dirtied, one.wal, one.ms):
        yield number(value / one.units)
