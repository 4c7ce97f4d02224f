"""Count the blocks, WAL and time of statements with pg_stat_statements."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bench.year.limits import Measured
from dovecote.store.statements import statement

UNCOUNTED = "-c pg_stat_statements.track=none -c statement_timeout=0 -c search_path=public"
"""The options of the sessions that fill and measure: their statements do not count."""

STATISTICS = """
select query, calls, shared_blks_hit as hit, shared_blks_read as read,
       shared_blks_dirtied as dirtied, total_exec_time as ms
from pg_stat_statements
where dbid = (select oid from pg_database where datname = current_database())
"""

RESET = """
select pg_stat_statements_reset(0, oid, 0) from pg_database where datname = current_database()
"""


class Totals:
    """Measured totals of all statements, or of one statement of sql/."""

    def __init__(self, rows: list[dict[str, Any]], wal: int) -> None:
        self._rows = rows
        self._wal = wal

    def all(self, operation: str, units: int) -> Measured:
        """Return the totals of all statements, with all WAL, including that of commits."""
        return _sum(operation, units, self._rows, self._wal)

    def of(self, operation: str, name: str, units: int | None = None) -> Measured:
        """Return the totals of one statement; by default a call of it is a unit."""
        rows = [row for row in self._rows if named(row["query"]) == name]
        calls = sum(row["calls"] for row in rows)
        return _sum(operation, units or max(1, calls), rows, 0)


class Meter:
    """Measures the statements of other sessions of a database."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True, options=UNCOUNTED)
        self.connection.execute("create extension if not exists pg_stat_statements")
        name = sql.Identifier(self.connection.info.dbname)
        count = sql.SQL("alter database {} set pg_stat_statements.track = top")
        self.connection.execute(count.format(name))

    @contextmanager
    def measured(self) -> Iterator[list[Totals]]:
        """Measure what runs in the context; when it ends, the list has its totals."""
        found: list[Totals] = []
        self.connection.execute(RESET)
        before = self._wal()
        yield found
        with self.connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(STATISTICS).fetchall()
        found.append(Totals(rows, self._wal() - before))

    def _wal(self) -> int:
        row = self.connection.execute(
            "select (pg_current_wal_insert_lsn() - '0/0')::bigint"
        ).fetchone()
        assert row is not None
        return int(row[0])


def named(query: str) -> str:
    """Return the name of a statement of sql/ from its text in pg_stat_statements, or ""."""
    return _statements().get(skeleton(query), "")


def skeleton(query: str) -> str:
    """Return a statement without comments, spaces, values and numbers of parameters.

    pg_stat_statements replaces constants with parameters, and lists of them with one.
    """
    text = re.sub(r"--.*|/\*.*?\*/", "", query)
    text = re.sub(r"extract\((\$\d+|\w+)", "extract(?", text)  # the field is a constant too
    text = re.sub(r"%\(\w+\)s|\$\d+|'[^']*'|\b[\d.]+\b|\b(true|false|null)\b", "?", text)
    text = re.sub(r"\s+|-", "", text).replace("%%", "%")
    return re.sub(r"\?(,\?)+", "?", text)


@cache
def _statements() -> dict[str, str]:
    """Return the names of the statements of sql/ by their skeletons."""
    folders = files("dovecote.store").joinpath("sql").iterdir()
    names = [
        f"{folder.name}/{source.name.removesuffix('.sql')}"
        for folder in folders
        for source in folder.iterdir()
    ]
    return {skeleton(statement(name).decode()): name for name in names}


def _sum(operation: str, units: int, rows: list[dict[str, Any]], wal: int) -> Measured:
    whole = {name: sum(row[name] for row in rows) for name in ("hit", "read", "dirtied", "calls")}
    ms = sum(row["ms"] for row in rows)
    return Measured(operation=operation, units=units, wal=wal, ms=ms, **whole)
