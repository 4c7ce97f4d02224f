"""The tables in which Dovecote's loop and its submit stand beside others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from bench import floor
from bench.contender import (
    BARE,
    BARE_BULKS,
    DOVECOTE,
    DOVECOTE_BULK,
    DOVECOTE_DEFAULT,
    GRAPHILE,
    PEERS_OF_DOVECOTE,
    PGBOSS,
    PGQUEUER,
    PROCRASTINATE,
    Contender,
)
from bench.measure import Bench
from bench.report import Rounds, Table, Target, against, ratios, spread
from bench.rounds import Measured, Size, rounds

FLOOR = "floor: the same SQL by pgbench"
SLOW_MILLISECONDS = 20
IN_FLIGHT = 50
CEILING = IN_FLIGHT * 1000 / SLOW_MILLISECONDS
BULK = 1_000

# With one process, and with two.
LEAST = {
    GRAPHILE.name: (1.3, 1.5),
    PGBOSS.name: (2.0, 2.0),
    PGQUEUER.name: (3.0, 3.0),
    PROCRASTINATE.name: (50.0, 50.0),
}


def drain(bench: Bench, size: Size) -> Table:
    """Measure the drain of no-op deliveries with one and with two processes."""
    series = {
        (contender.name, processes): partial(
            bench.drain, contender, _fair(contender, size.jobs), processes=processes
        )
        for contender in (DOVECOTE, DOVECOTE_DEFAULT, *PEERS_OF_DOVECOTE)
        for processes in (1, 2)
    }
    for processes in (1, 2):
        series[FLOOR, processes] = partial(_floor, bench, size.jobs, processes)
    measured = _by_processes(size, series)
    return Table(
        title="Drain of no-op deliveries",
        note=f"Jobs a second until {size.jobs:,} are done and committed ({PROCRASTINATE.name}:"
        f" {_fair(PROCRASTINATE, size.jobs):,}), and {DOVECOTE.name}, as a multiple of each. A"
        " no-op of Dovecote writes the route twice, claimed and published with the message id, and"
        " no email_deliveries.",
        columns=("1 process", "ratio", "2 processes", "ratio"),
        rows=against(DOVECOTE.name, measured),
        targets=[*_drain_targets(measured)],
        drawn={name: median(rates) for name, rates in measured[0].items()},
    )


def _drain_targets(measured: Sequence[Measured]) -> Iterator[Target]:
    for peer, bounds in LEAST.items():
        for processes, (rates, least) in enumerate(zip(measured, bounds, strict=True), start=1):
            yield Target(
                what=f"no-op drain over {peer}, {_processes(processes)}",
                least=least,
                rounds=ratios(rates[DOVECOTE.name], rates[peer]),
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
        targets=[*_enqueue_targets(measured)],
    )


def _enqueue_targets(measured: Measured) -> Iterator[Target]:
    ours = measured["Dovecote"]
    peers = (measured[peer.name] for peer in PEERS_OF_DOVECOTE)
    fastest = [max(rates) for rates in zip(*peers, strict=True)]
    for what, least, rates in (
        ("the bare statement", 0.8, measured[BARE.name]),
        ("the fastest peer", 1.0, fastest),
    ):
        over = ratios(ours, rates)
        yield Target(what=f"enqueue one by one over {what}", least=least, rounds=over)


def bulk(bench: Bench, size: Size) -> Table:
    """Measure what is stored a thousand in a call over one connection."""
    contenders = (DOVECOTE_BULK, *BARE_BULKS, *PEERS_OF_DOVECOTE)
    measured = rounds(
        size.rounds,
        {one.name: partial(bench.bulk, one, size.bulk_calls, BULK) for one in contenders},
    )
    return Table(
        title="Bulk enqueue",
        note=f"Rows a second, {BULK:,} in a call and a commit, {size.bulk_calls} calls. Dovecote:"
        " the submit use case, one notification to as many recipients, stored in one statement."
        " The peers: add_jobs of graphile-worker, insert of pg-boss, enqueue of pgqueuer,"
        " batch_defer of procrastinate.",
        columns=("rows a second", "Dovecote is"),
        rows=against("Dovecote", [measured]),
    )


def failing(bench: Bench, size: Size) -> Table:
    """Measure a drain in which 8 % fail and 2 % are dead-lettered."""
    drain = partial(bench.drain, DOVECOTE, size.jobs, processes=1)
    well = "all delivered"
    badly = "8 % failed and are due again later, 2 % dead-lettered"
    measured = rounds(size.rounds, {well: drain, badly: partial(drain, faulty=True)})
    share = ratios(measured[badly], measured[well])
    return Table(
        title="Drain with failures",
        note=f"{DOVECOTE.name}, 1 process, {size.jobs:,} routes; the failures of a"
        " batch share their lines of the log.",
        columns=("routes a second", "ratio"),
        rows={
            well: (spread(measured[well]), ""),
            badly: (spread(measured[badly]), spread(share, "x")),
        },
        targets=[Target(what="drain with 10 % failures over without", least=0.8, rounds=share)],
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
        for contender in (DOVECOTE_DEFAULT, *PEERS_OF_DOVECOTE)
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
                for cell in (spread(rates[name]), spread(_shares(rates[name], processes), "%"))
            ]
            for name in measured[0]
        },
        targets=[
            Target(
                what=f"20 ms deliveries of the ceiling, {_processes(processes)}",
                least=0.95,
                unit="%",
                rounds=_shares(rates[DOVECOTE_DEFAULT.name], processes),
            )
            for processes, rates in enumerate(measured, start=1)
        ],
    )


def memory(bench: Bench, size: Size) -> Table:
    """Measure how the memory of a dispatcher grows with what it has drained."""
    early = size.memory // 10
    measured = rounds(
        size.rounds,
        {
            contender.name: partial(bench.memory, contender, size.memory, early)
            for contender in (DOVECOTE, DOVECOTE_DEFAULT)
        },
    )
    columns = {name: [*zip(*both, strict=True)] for name, both in measured.items()}
    grown = {name: ratios(late, first) for name, (first, late) in columns.items()}
    return Table(
        title="Memory of a dispatcher",
        note="RSS in MB of one process, with what the bench counts in it.",
        columns=(f"after {early:,} routes", f"after {size.memory:,}", "ratio"),
        rows={
            name: [*(spread(one) for one in both), spread(grown[name], "x")]
            for name, both in columns.items()
        },
        targets=[
            Target(what=f"memory after ten times as many routes, {name}", most=1.1, rounds=ratio)
            for name, ratio in grown.items()
        ],
    )


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _shares(rates: Rounds, processes: int) -> list[float]:
    return [rate / (CEILING * processes) for rate in rates]


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
