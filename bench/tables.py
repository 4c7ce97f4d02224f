"""The tables: what is measured against what, in rounds that go through all in a random order."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bench import depth, floor
from bench.contender import (
    BARE,
    DOVECOTE,
    DOVECOTE_DEFAULT,
    PEERS_OF_DOVECOTE,
    PROCRASTINATE,
    Contender,
)
from bench.measure import Bench
from bench.report import Rounds, Table, against, spread, times

FLOOR = "floor: the same SQL by pgbench"
SLOW_MILLISECONDS = 20
IN_FLIGHT = 50
CEILING = IN_FLIGHT * 1000 / SLOW_MILLISECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured, and how often."""

    rounds: int
    jobs: int
    one_by_one: int
    slow: int
    memory: int
    beside: int


FULL = Size(rounds=3, jobs=30_000, one_by_one=1_000, slow=5_000, memory=100_000, beside=1_000_000)
QUICK = Size(rounds=1, jobs=5_000, one_by_one=200, slow=1_000, memory=20_000, beside=50_000)

Measured = dict[str, Rounds]


def rounds(count: int, series: Mapping[str, Callable[[], float]]) -> Measured:
    """Measure each of a series in each round, in an order of its own."""
    found: dict[str, list[float]] = {name: [] for name in series}
    for _ in range(count):
        for name in random.sample(list(series), k=len(series)):
            found[name].append(series[name]())
    return dict(found)


def drained(bench: Bench, size: Size) -> list[Measured]:
    """Measure the drain of no-op deliveries with one and with two processes."""
    contenders = (DOVECOTE, DOVECOTE_DEFAULT, *PEERS_OF_DOVECOTE)
    series = {
        (contender.name, processes): partial(
            bench.drain, contender, _fair(contender, size.jobs), processes=processes
        )
        for contender in contenders
        for processes in (1, 2)
    }
    for processes in (1, 2):
        series[FLOOR, processes] = partial(_floor, bench, size.jobs, processes)
    return _by_processes(size, series)


def drain_table(measured: list[Measured], size: Size) -> Table:
    """Return the table of no-op deliveries."""
    return Table(
        title="Drain of no-op deliveries",
        note=f"Jobs a second until {size.jobs:,} are done and committed ({PROCRASTINATE.name}:"
        f" {_fair(PROCRASTINATE, size.jobs):,}), and {DOVECOTE.name}, as a multiple of each.",
        columns=("1 process", "ratio", "2 processes", "ratio"),
        rows=against(DOVECOTE.name, measured),
    )


def enqueued(bench: Bench, size: Size) -> Table:
    """Measure what is stored one by one over one connection."""
    contenders = {"Dovecote": DOVECOTE, BARE.name: BARE}
    contenders |= {contender.name: contender for contender in PEERS_OF_DOVECOTE}
    measured = rounds(
        size.rounds,
        {
            name: partial(bench.enqueue, contender, size.one_by_one)
            for name, contender in contenders.items()
        },
    )
    return Table(
        title="Enqueue one by one",
        note=f"Of {size.one_by_one:,} a second, each committed. Dovecote: the whole submit use"
        " case from the bytes of the body to the receipt (parsed, held against the schema, both"
        " messages rendered to see that they can be, 1 notification and 2 routes stored), without"
        " the immediate attempt. The peers: one job.",
        columns=("a second", "Dovecote is"),
        rows=against("Dovecote", [measured]),
    )


def failing(bench: Bench, size: Size) -> Table:
    """Measure a drain in which 8 % fail and 2 % are dead-lettered."""
    drain = partial(bench.drain, DOVECOTE, size.jobs, processes=1)
    well = "all delivered"
    badly = "8 % failed and are due again later, 2 % dead-lettered"
    measured = rounds(size.rounds, {well: drain, badly: partial(drain, faulty=True)})
    return Table(
        title="Drain with failures",
        note=f"{DOVECOTE.name}, 1 process, {size.jobs:,} routes; a line of the log for each"
        " failure.",
        columns=("routes a second", "ratio"),
        rows={
            well: (spread(measured[well]), ""),
            badly: (spread(measured[badly]), times(measured[badly], measured[well])),
        },
    )


def slow(bench: Bench, size: Size) -> Table:
    """Measure the drain of deliveries that wait for somebody."""
    series = {
        (contender.name, processes): partial(
            bench.drain,
            contender,
            size.slow // (1 if contender is not PROCRASTINATE else 5) * processes,
            processes=processes,
            milliseconds=SLOW_MILLISECONDS,
            in_flight=IN_FLIGHT,
        )
        for contender in (DOVECOTE, DOVECOTE_DEFAULT, *PEERS_OF_DOVECOTE)
        for processes in (1, 2)
    }
    measured = _by_processes(size, series)
    return Table(
        title="Drain of deliveries that take 20 ms, at most 50 in flight",
        note=f"Jobs a second, and the share of the ceiling, {CEILING:,.0f} a process.",
        columns=("1 process", "of ceiling", "2 processes", "of ceiling"),
        rows={
            name: [
                cell
                for processes, rates in enumerate(measured, start=1)
                for cell in (spread(rates[name]), _share(rates[name], CEILING * processes))
            ]
            for name in measured[0]
        },
    )


def memory(bench: Bench, size: Size) -> Table:
    """Measure how the memory of a dispatcher grows with what it has drained."""
    early = size.memory // 10
    measured = {
        contender.name: bench.memory(contender, size.memory, early)
        for contender in (DOVECOTE, DOVECOTE_DEFAULT)
    }
    return Table(
        title="Memory of a dispatcher",
        note="RSS in MB of one process, with what the bench counts in it.",
        columns=(f"after {early:,} routes", f"after {size.memory:,}"),
        rows={name: [f"{one:.0f}" for one in both] for name, both in measured.items()},
    )


def deep(bench: Bench, size: Size) -> Table:
    """Measure a claim and its publishing beside many other routes."""
    measured = {f"{depth.WANTED:,} due": depth.milliseconds(bench, "due", 0)}
    measured |= {
        f"and {size.beside:,} {case}": depth.milliseconds(bench, case, size.beside)
        for case in depth.CASES
    }
    return Table(
        title="Claim and publish of 100 at depth",
        note=f"Milliseconds, medians of {depth.BATCHES} batches over one connection: the claim"
        " with what the notifications say, and the publishing with its commit.",
        columns=("claim", "publish"),
        rows={name: [f"{one:.1f}" for one in both] for name, both in measured.items()},
    )


def _share(rates: Rounds, ceiling: float) -> str:
    return f"{sorted(rates)[len(rates) // 2] / ceiling:.0%}"


def _floor(bench: Bench, jobs: int, processes: int) -> float:
    rate = floor.rate(bench.filled(DOVECOTE, jobs), jobs, processes)
    bench.expect(DOVECOTE, DOVECOTE.done, jobs)
    return rate


def _fair(contender: Contender, jobs: int) -> int:
    """Return how many jobs a contender is given, so that the slowest is not waited for."""
    return jobs // 25 if contender is PROCRASTINATE else jobs


def _by_processes(
    size: Size, series: Mapping[tuple[str, int], Callable[[], float]]
) -> list[Measured]:
    found = rounds(
        size.rounds, {f"{processes} {name}": run for (name, processes), run in series.items()}
    )
    names = list(dict.fromkeys(name for name, _ in series))
    return [{name: found[f"{processes} {name}"] for name in names} for processes in (1, 2)]
