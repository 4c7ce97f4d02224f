"""Apply one migration file while the service runs.

A statement that waits for a lock makes later statements on the same table wait behind it. So a
migration waits for LOCK_SECONDS at most, and tries again after a pause.

A file is applied in one transaction. A file that begins with OUTSIDE is applied statement by
statement, each committed by itself: it may build indexes concurrently, and a statement after a line
REPEAT runs until it changes no row. After a failure it is applied again from its beginning, so each
of its statements must be safe to repeat.
"""

import math
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg
from psycopg import errors, sql

from dovecote.store.database import Connection

LOCK_SECONDS = 0.5
"""How long a migration waits for a lock, and others wait behind it."""

PAUSE_SECONDS = 0.5, 2.0
"""The least and the most time between two attempts."""

ROLLBACK_SECONDS = 1.0
"""How long before its client the server gives up, so that the client still receives the error."""

OUTSIDE = "-- Outside a transaction."
REPEAT = "-- Until no row changes."

_CONCURRENTLY = re.compile(r"\bconcurrently\b", re.IGNORECASE)
"""Statements with this word block no reader and no writer while they wait."""

T = TypeVar("T")

Progress = Callable[[int], None]
"""Takes how many rows a repeated statement has changed so far."""


def _without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text)


def is_outside(text: str) -> bool:
    """Return whether a file is applied outside a transaction."""
    return text.startswith(OUTSIDE)


def statements(text: str) -> Iterator[str]:
    """Yield the statements of such a file; each ends with a semicolon at the end of a line."""
    for part in re.split(r";[ \t]*(?:\n|\Z)", text):
        if _without_comments(part).strip():
            yield part


def apply(
    connection: psycopg.Connection, text: str, record: Callable[[], object], progress: Progress
) -> None:
    """Apply a file and record it, with waits for locks that others do not notice."""
    if is_outside(text):
        for statement in statements(text):
            _apply_statement(connection, statement, progress)
        record()
        return

    def in_a_transaction() -> None:
        with connection.transaction():
            connection.execute(text.encode())
            record()

    _patiently(connection, in_a_transaction)


def bound(connection: psycopg.Connection, lock_seconds: float = 0) -> None:
    """Let statements of this session run until its deadline, or without a limit.

    A migration may build an index over all routes, and waits for another migration. The role of the
    first migration has no settings yet.
    """
    deadline = connection.deadline if isinstance(connection, Connection) else math.inf
    left = deadline - time.monotonic() - ROLLBACK_SECONDS
    milliseconds = max(1, int(left * 1000)) if left < math.inf else 0
    connection.execute(
        sql.SQL(
            "set search_path = pg_catalog, dovecote, pg_temp; set statement_timeout = {};"
            " set lock_timeout = {}"
        ).format(milliseconds, int(lock_seconds * 1000))
    )


def _apply_statement(connection: psycopg.Connection, statement: str, progress: Progress) -> None:
    if _CONCURRENTLY.search(_without_comments(statement)):
        bound(connection)
        connection.execute(statement.encode())
        return

    def run() -> int:
        return connection.execute(statement.encode()).rowcount

    total = _patiently(connection, run)
    changed = total if REPEAT in statement else 0
    while changed > 0:
        progress(total)
        changed = _patiently(connection, run)
        total += changed


def _patiently(connection: psycopg.Connection, work: Callable[[], T]) -> T:
    """Return what `work` returns; repeat it after a pause as long as a lock is not to be had.

    At the connection's deadline PostgreSQL cancels the statement.
    """
    while True:
        bound(connection, LOCK_SECONDS)
        try:
            return work()
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret
