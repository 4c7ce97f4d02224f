"""Claims while somebody holds an old snapshot, under which no dead row or index entry may go."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import psycopg

from bench.contender import DOVECOTE_DEFAULT
from bench.measure import Bench, Program, Watch
from bench.report import Table, Target, spread
from bench.rounds import Size, rounds

PARTS = 10
AIM = 1.5

CLAIMS = """
select coalesce(sum(total_exec_time), 0), coalesce(sum(rows), 0)::bigint from pg_stat_statements
where dbid = (select oid from pg_database where datname = current_database())
  and query ilike '%skip locked%' and query ilike '%claim_token%'
"""

COUNTING = (
    "create extension pg_stat_statements",
    # A database's name is no parameter.
    "do $$ begin execute format("
    "'alter database %I set pg_stat_statements.track = top', current_database()); end $$",
)


class Claims(Watch):
    """Reads from PostgreSQL what the claims of each tenth of a drain took it."""

    def __init__(self, jobs: int, *, old_snapshot: bool) -> None:
        self._marks = [jobs * part // PARTS for part in range(1, PARTS)]
        self._old_snapshot = old_snapshot
        self._sums: list[tuple[float, int]] = []
        self._open: list[psycopg.Connection[Any]] = []

    def prepare(self, url: str) -> None:
        """Let the sessions to come be counted; where asked for, take a snapshot and hold it."""
        reader = psycopg.connect(url, autocommit=True)
        self._open.append(reader)
        for statement in COUNTING:
            reader.execute(statement)
        if self._old_snapshot:
            holder = psycopg.connect(url)
            holder.execute("set transaction isolation level repeatable read")
            holder.execute("select count(*) from dovecote.notification_routes")
            self._open.append(holder)

    def begin(self, running: Sequence[Program]) -> None:
        """Note how it was before."""
        del running
        self._sums.append(self._sum())

    def look(self, handled: int) -> None:
        """Note each tenth when it is over."""
        while self._marks and handled >= self._marks[0]:
            del self._marks[0]
            self._sums.append(self._sum())

    def end(self) -> None:
        """Note the last."""
        self._sums.append(self._sum())
        for connection in self._open:
            connection.close()

    @property
    def tenths(self) -> list[float]:
        """Return what a hundred claimed routes took in each tenth."""
        return [
            (spent - before) / (rows - rows_before) * 100
            for (before, rows_before), (spent, rows) in pairwise(self._sums)
            if rows > rows_before
        ]

    def _sum(self) -> tuple[float, int]:
        row = self._open[0].execute(CLAIMS).fetchone()
        assert row is not None
        return float(row[0]), int(row[1])


def table(bench: Bench, size: Size) -> Table:
    """Measure the claims of a drain with and without an old snapshot beside it."""
    held, free = "while an old snapshot is held", "without"
    found = rounds(
        size.rounds,
        {
            held: partial(_tenths, bench, size.old_snapshot, old_snapshot=True),
            free: partial(_tenths, bench, size.old_snapshot, old_snapshot=False),
        },
    )
    over = {name: [one[-1] / one[0] for one in tenths] for name, tenths in found.items()}
    return Table(
        title="Claim under an old snapshot",
        note=f"Milliseconds that PostgreSQL takes to claim 100, in a drain of {size.old_snapshot:,}"
        f" routes by one process ({DOVECOTE_DEFAULT.name}). The snapshot (repeatable read) is of"
        " before the drain: no row version and no index entry that it leaves dead can be removed.",
        columns=("first tenth", "fifth", "last", "last to first"),
        rows={
            name: [
                *(spread([one[part] for one in tenths]) for part in (0, PARTS // 2 - 1, -1)),
                spread(over[name], "x"),
            ]
            for name, tenths in found.items()
        },
        targets=[
            Target(
                what="claim under an old snapshot, last tenth to first", most=AIM, rounds=over[held]
            )
        ],
    )


def _tenths(bench: Bench, jobs: int, *, old_snapshot: bool) -> list[float]:
    claims = Claims(jobs, old_snapshot=old_snapshot)
    bench.drain(DOVECOTE_DEFAULT, jobs, processes=1, watch=claims)
    return claims.tenths
