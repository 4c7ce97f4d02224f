"""Cached connections, each opened when it is first needed and again when it broke.

psycopg's errors become the store's here and nowhere else. Nothing is set for a session and nothing
is prepared, so that a pooler may hand each transaction to another connection of the server.
"""

import math
import random
import re
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from dovecote.core.errors import (
    ANSWER_SECONDS,
    StoreBusy,
    StoreError,
    StoreFailed,
    StoreSlow,
    StoreUnavailable,
)

T = TypeVar("T")
Opened = psycopg.Connection[tuple[object, ...]]

AGAIN_SECONDS = 0.5
"""What must be left of that for a second try on a new connection."""

MOST_CONFLICTS = 5
"""How often a transaction that met another one in a deadlock is begun anew."""

_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # After a failover the old writer answers so, on a connection that stays open.
    errors.ReadOnlySqlTransaction,
    # A worker that was frozen inside a transaction wakes without its connection.
    errors.IdleInTransactionSessionTimeout,
)
_CONFLICT = (errors.DeadlockDetected, errors.SerializationFailure)
_BUSY = (errors.LockNotAvailable, *_CONFLICT)


class Unanswered(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class Connection(psycopg.Connection[tuple[object, ...]]):
    """A connection that waits for its server no longer than `deadline` on the monotonic clock.

    The server's timeouts do not reach a client that hears nothing any more, nor do keepalives
    where what lies between still answers them.
    """

    deadline = math.inf

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Consume a generator of psycopg; raise Unanswered when the deadline has passed."""
        if self.deadline < math.inf:
            left = max(0.0, self.deadline - time.monotonic())
            timeout = left if timeout is None else min(left, timeout)
        try:
            return super().wait(gen, interval, timeout)
        except errors._WaitTimeout:
            # A query may still be under way: this connection can't be used for another.
            self.pgconn.finish()
            raise Unanswered("the server did not answer in time") from None


def translated(error: psycopg.Error) -> StoreError:
    """Return the store's error for one of psycopg's.

    PostgreSQL's own words may repeat a row; those of a failed connection name the server alone.
    """
    words = (
        (error.sqlstate, error.diag.constraint_name) if error.sqlstate else str(error).split("\n")
    )
    text = " ".join([type(error).__name__, *(word for word in words[:2] if word)])
    if isinstance(error, errors.LockNotAvailable) and not _of_a_row(error.diag.context):
        return StoreUnavailable(text)  # a whole table is locked, and no row of ours
    if isinstance(error, _BUSY):
        return StoreBusy(text)
    if isinstance(error, errors.QueryCanceled):
        return StoreSlow(text)
    if isinstance(error, _UNAVAILABLE):
        return StoreUnavailable(text)
    return StoreFailed(text)


def _of_a_row(context: str | None) -> bool:
    """Tell whether what was waited for is a row: its place, (0,1), is in whatever language.

    The lines below are those of the function that the statement is in.
    """
    return re.search(r"\(\d+,\d+\)", (context or "").partition("\n")[0]) is not None


class _Thread(threading.local):
    """What a thread is bound to, and the connection that it has in its hands.

    `left` is how many seconds it may still spend in the database.
    """

    deadline = math.inf
    left = math.inf
    connection: Opened | None = None


class Database:
    """Hands out the connections of this execution environment, each to one thread at a time.

    It opens `most` of them. Who comes while all are in use waits.
    """

    def __init__(self, connect: Callable[[], Opened], *, most: int = 1) -> None:
        self._connect = connect
        self._kept: list[Opened] = []
        self._turns = threading.Semaphore(most)
        self._thread = _Thread()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Bound all that this thread asks of the database in the context."""
        before = self._thread.deadline
        self._thread.deadline = min(before, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._thread.deadline = before

    @contextmanager
    def spending(self, seconds: float) -> Iterator[None]:
        """Bound the time that this thread spends in the database in the context.

        What it does in between does not count.
        """
        before = self._thread.left
        self._thread.left = min(before, seconds)
        try:
            yield
        finally:
            self._thread.left = before

    def run(self, work: Callable[[Opened], T]) -> T:
        """Run work in a transaction of its own, as `ask` does."""

        def whole(connection: Opened) -> T:
            with connection.transaction():
                return work(connection)

        return self.ask(whole)

    def ask(self, work: Callable[[Opened], T]) -> T:
        """Run work whose statements need no other beside them; it is run again where that may help.

        Each statement is its own transaction, without a round trip for BEGIN and one for COMMIT.
        A deadlock ends one of two transactions, which then finds its way free. A connection that
        broke unnoticed, while it was kept, is opened anew: what was asked of it is asked again,
        which is why each work is one that may be done twice.
        """
        with self._spent() as deadline:
            return self._asked(work, deadline)

    def _asked(self, work: Callable[[Opened], T], deadline: float) -> T:
        conflicts = 0
        while True:
            kept = bool(self._kept)
            try:
                with self._used(deadline) as connection:
                    return work(connection)
            except psycopg.Error as error:
                problem = translated(error)
                conflicts += isinstance(error, _CONFLICT)
                free = isinstance(error, _CONFLICT) and conflicts < MOST_CONFLICTS
                broken = kept and isinstance(problem, StoreUnavailable)
                if not (free or broken) or time.monotonic() + AGAIN_SECONDS > deadline:
                    # Not "from error": a traceback in the log would print what PostgreSQL said.
                    raise problem from None
                # Not cryptography: two that met do not meet again.
                time.sleep(random.uniform(0, 0.02 * conflicts))  # noqa: S311

    @contextmanager
    def transaction(self) -> Iterator[Opened]:
        """Open a transaction; it commits when the context ends well."""
        try:
            with (
                self._spent() as deadline,
                self._used(deadline) as connection,
                connection.transaction(),
            ):
                yield connection
        except psycopg.Error as error:
            raise translated(error) from None

    def close(self) -> None:
        """Close the connections that nobody uses; the next use opens another."""
        while self._kept:
            self._kept.pop().close()

    @contextmanager
    def _spent(self) -> Iterator[float]:
        """Yield the deadline of one use of the database, and count what that takes."""
        began = time.monotonic()
        try:
            yield min(self._thread.deadline, began + min(ANSWER_SECONDS, self._thread.left))
        finally:
            self._thread.left -= time.monotonic() - began

    @contextmanager
    def _used(self, deadline: float) -> Iterator[Opened]:
        """Yield an open connection, alone; discard it where it proves broken."""
        if self._thread.connection is not None:
            yield self._thread.connection
            return
        with self._turns:
            connection = self._thread.connection = self._opened()
            try:
                if isinstance(connection, Connection):
                    connection.deadline = deadline
                yield connection
            except psycopg.Error as error:
                if isinstance(translated(error), StoreUnavailable):
                    connection.close()
                raise
            finally:
                self._thread.connection = None
                if not connection.closed:
                    self._kept.append(connection)

    def _opened(self) -> Opened:
        """Return the connection that was used last, or a new one."""
        while self._kept:
            connection = self._kept.pop()
            if not _ended(connection):
                return connection
            connection.close()
        return self._connect()


def _ended(connection: Opened) -> bool:
    """Tell whether the server ended an idle connection: it writes to one only to say so."""
    if connection.closed:
        return True
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
