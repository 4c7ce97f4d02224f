"""An old snapshot at a steady rate, compared with a database without one at the same time."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import psycopg

from bench import routes
from bench.contender import DOVECOTE_DEFAULT
from bench.measure import Bench, Program, Wrong, programs, settle
from bench.report import Table, Target, number, written
from bench.rounds import Size
from bench.year.limits import Measured
from bench.year.meter import Meter

A_SECOND = 500
"""Routes a second: as many in two minutes as 195 a second are in five."""

WINDOWS = 4
EVERY_SECONDS = 0.2
AIM = 3.0
HELD, FREE = "while an old snapshot is held", "without"


class Steady:
    """A database that gets routes at a steady rate, with a dispatcher that keeps up."""

    def __init__(self, url: str, program: Program) -> None:
        self.program = program
        self.stored = 0
        self.meter = Meter(url)

    def store(self, count: int) -> None:
        """Store so many routes, due now."""
        routes.fill(self.meter.connection, count, self.stored + 1)
        self.stored += count
        self.program.check()


def table(bench: Bench, size: Size) -> Table:
    """Measure the claims of both databases in each part of the time."""
    with ExitStack() as stack:
        both = {
            name: stack.enter_context(_steady(bench, f"steady_{place}", held=name == HELD))
            for place, name in enumerate((HELD, FREE))
        }
        windows = [_window(both, size.steady / WINDOWS) for _ in range(WINDOWS)]
        kept_up = {name: steady.program.handled / steady.stored for name, steady in both.items()}
    over = [_cost(window[HELD]) / _cost(window[FREE]) for window in windows]
    if min(kept_up.values()) < 0.95:
        raise Wrong(f"a dispatcher did not keep up: {kept_up}")
    return Table(
        title="Old snapshot at a steady rate",
        note=f"{A_SECOND:,} routes a second for {size.steady:,.0f} s ({DOVECOTE_DEFAULT.name}),"
        " in two databases at the same time. The milliseconds in PostgreSQL and the blocks of a"
        f" claim in each part of {size.steady / WINDOWS:,.0f} s. Every 50 s one claim reads all"
        " entries of its lanes.",
        columns=(*(f"part {place + 1}" for place in range(WINDOWS)), "published"),
        rows={
            **{
                name: (*(_cell(window[name]) for window in windows), f"{kept_up[name]:.1%}")
                for name in both
            },
            "ratio": (*(written(ratio, "x") for ratio in over), ""),
        },
        targets=[
            Target(
                what="claim under an old snapshot at a steady rate, the worst part, to without",
                most=AIM,
                rounds=[max(over)],
            )
        ],
    )


@contextmanager
def _steady(bench: Bench, database: str, *, held: bool) -> Iterator[Steady]:
    """Start a dispatcher on a new database; `held` holds a snapshot from before its routes."""
    url = bench.empty(DOVECOTE_DEFAULT, database)
    settle(url)
    Meter(url).connection.close()  # it measures sessions that begin after this
    try:
        with (
            programs(DOVECOTE_DEFAULT, url, 1, "follow") as (program,),
            psycopg.connect(url) as old,
        ):
            if held:
                old.execute("set transaction isolation level repeatable read")
                old.execute("select count(*) from dovecote.notification_routes")
            program.begin()
            steady = Steady(url, program)
            yield steady
            steady.meter.connection.close()
    finally:
        bench.drop(database)


def _window(both: Mapping[str, Steady], seconds: float) -> dict[str, Measured]:
    """Store routes for so long; return the cost of claims in each database."""
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(steady.meter.measured()) for name, steady in both.items()
        }
        _store(list(both.values()), seconds)
    return {name: taken[0].of("claim", "dispatch/claim") for name, taken in found.items()}


def _store(each: Sequence[Steady], seconds: float) -> None:
    """Store routes at a steady rate."""
    began = time.monotonic()
    stored = 0
    while (passed := time.monotonic() - began) < seconds:
        count = int(passed * A_SECOND) - stored
        if count:
            for steady in each:
                steady.store(count)
            stored += count
        time.sleep(EVERY_SECONDS)


def _cost(claim: Measured) -> float:
    """Return the milliseconds of a claim."""
    return claim.ms / claim.calls


def _cell(claim: Measured) -> str:
    return f"{number(_cost(claim))} ms, {number(claim.blocks)}"
