"""Measure dispatch: a few due routes, a burst after an idle period, and an old snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from bench.year import reading
from bench.year.meter import UNCOUNTED, Totals
from dovecote.dispatch.cursors import LaneCursors
from dovecote.store.operations.overview import PostgresOverview
from dovecote.wiring import clients

if TYPE_CHECKING:
    from bench.year.stage import Bench

STATEMENTS = {
    "claim": "dispatch/claim",
    "find due lanes": "dispatch/find_due_lanes",
    "find lapsed leases": "dispatch/examine",
}
GAUGES = {"gauges": "operations/gauges"}

FEW_RUNS, FEW = 30, 10
"""Runs of a dispatcher that keeps up, and the routes that are due in each."""

SHARE = 0.06
LEAST = 20_000
"""A burst is a share of the history, and at least so many routes."""

SNAPSHOT_RUNS, A_SECOND = 300, 195
"""The runs under an old snapshot, each for a second of 195 routes: 5 minutes in a row."""

LATE_SECONDS = 0.05
"""How much later than its due time a route may be committed: runs follow each other at once."""

PART = 10
"""The first runs under a snapshot are compared with as many last ones."""


def measure(bench: Bench) -> None:
    """Measure dispatch with few routes, in bursts, and under an old snapshot."""
    with bench.meter.measured() as found:
        for _ in range(FEW_RUNS):
            _run(bench, FEW)
    _record(bench, found[0], ", a few due", STATEMENTS)
    count = max(LEAST, round(SHARE * bench.stage.notifications))
    for when in ("after an idle period", "after ANALYZE"):
        bench.settle()
        bench.store(count)
        if when == "after ANALYZE":
            bench.connection.execute("analyze")
        _burst(bench, f" in a burst {when}")
    _old_snapshot(bench)


def _run(bench: Bench, due: int) -> None:
    bench.store(due)
    bench.live.dispatch(lambda: 900)


def _burst(bench: Bench, when: str) -> None:
    """Measure a burst: reads of the whole queue, and claims until nothing is due."""
    reading.queue(bench, when)
    began = time.monotonic()
    with bench.meter.measured() as found:
        published = bench.live.drain()
    bench.stage.rates[f"routes a second{when}"] = published / (time.monotonic() - began)
    _record(bench, found[0], f"{when}, a route", STATEMENTS, published)
    bench.record(found[0].all(f"deliver{when}, a route", published))


def _old_snapshot(bench: Bench) -> None:
    """Measure the claims and the gauges of the first and the last runs under a snapshot."""
    bench.settle()
    bench.live.dispatch(lambda: 900)
    for cursors in bench.live.dispatch.cursors.values():
        cursors.due.late = LATE_SECONDS
    live, overview = LaneCursors(), PostgresOverview(clients.database())
    with _snapshot(bench.url):
        for when, runs in (("begins", PART), ("", SNAPSHOT_RUNS - 2 * PART), ("is old", PART)):
            with bench.meter.measured() as found:
                for _ in range(runs):
                    _run(bench, A_SECOND)
                    overview.gauges(live)
            if when:
                _record(bench, found[0], f" when a snapshot {when}", STATEMENTS | GAUGES)


def _record(
    bench: Bench, totals: Totals, when: str, statements: dict[str, str], units: int | None = None
) -> None:
    for operation, name in statements.items():
        bench.record(totals.of(f"{operation}{when}", name, units))


@contextmanager
def _snapshot(url: str) -> Iterator[None]:
    """Hold a snapshot, under which PostgreSQL keeps the index entries of finished routes."""
    with psycopg.connect(url, options=UNCOUNTED) as holder:
        holder.execute("set idle_in_transaction_session_timeout = 0")
        holder.commit()
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select 1 from dovecote.notification_routes limit 1")
        yield
        holder.rollback()
