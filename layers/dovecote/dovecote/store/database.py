"""Cached connections, each opened on first use and again after it broke.

Only this module translates psycopg's errors into the store's. It sets nothing for a session and
prepares nothing, so a pooler may run each transaction on another connection to the server.
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
"""The time that must be left of ANSWER_SECONDS for a second try on a new connection."""

MOST_CONFLICTS = 5
"""How often a transaction begins again after a deadlock with another one."""

_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # The answer of the old writer after a failover, on a connection that stays open.
    errors.ReadOnlySqlTransaction,
    # A worker that was frozen inside a transaction wakes without its connection.
    errors.IdleInTransactionSessionTimeout,
)
_CONFLICT = (errors.DeadlockDetected, errors.SerializationFailure)
_BUSY = (errors.LockNotAvailable, *_CONFLICT)


class Unanswered(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class Connection(psycopg.Connection[tuple[object, ...]]):
    """A connection that waits for its server until `deadline` on the monotonic clock.

    The server's timeouts do not reach a client that receives nothing any more. Keepalives do not
    help if a proxy in between still answers them.
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
            # A query may still run on this connection, so it cannot take another one.
            self.pgconn.finish()
            raise Unanswered("the server did not answer in time") from None


def translated(error: psycopg.Error) -> StoreError:
    """Return the store's error for one of psycopg's.

    PostgreSQL's own text may repeat a row; the text of a failed connection names only the server.
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
    """Tell whether the statement waited for a row: its place, (0,1), is in a text of any language.

    The lines below the first name the function that the statement is in.
    """
    return re.search(r"\(\d+,\d+\)", (context or "").partition("\n")[0]) is not None


class _Thread(threading.local):
    """The limits of a thread and the connection that it uses.

    `left` is the number of seconds that the thread may still spend in the database.
    """

    deadline = math.inf
    left = math.inf
    connection: Opened | None = None


class Database:
    """The connections of this execution environment, each used by one thread at a time.

    It opens up to `most` of them. While all are in use, further threads wait.
    """

    def __init__(self, connect: Callable[[], Opened], *, most: int = 1) -> None:
        self._connect = connect
        self._kept: list[Opened] = []
        self._turns = threading.Semaphore(most)
        self._thread = _Thread()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Bound all queries of this thread in the context together, from now on."""
        before = self._thread.deadline
        self._thread.deadline = min(before, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._thread.deadline = before

    @contextmanager
    def spending(self, seconds: float) -> Iterator[None]:
        """Bound the time that this thread spends in queries in the context.

        The time between queries does not count.
        """
        before = self._thread.left
        self._thread.left = min(before, seconds)
        try:
            yield
        finally:
            self._thread.left = before

    def run(self, work: Callable[[Opened], T]) -> T:
        """Run work in one transaction, and repeat it as `ask` does."""

        def whole(connection: Opened) -> T:
            with connection.transaction():
                return work(connection)

        return self.ask(whole)

    def ask(self, work: Callable[[Opened], T]) -> T:
        """Run work each statement of which is a transaction of its own; repeat it if that may help.

        This saves the round trips of BEGIN and COMMIT. Work runs again after a deadlock, which ends
        one of two transactions, and on a new connection if the cached one had broken unnoticed. So
        all work must be safe to run twice.
        """
        with self._counted() as deadline:
            return self._repeat(work, deadline)

    def _repeat(self, work: Callable[[Opened], T], deadline: float) -> T:
        conflicts = 0
        while True:
            kept = bool(self._kept)
            try:
                with self._connection(deadline) as connection:
                    return work(connection)
            except psycopg.Error as error:
                problem = translated(error)
                conflicts += isinstance(error, _CONFLICT)
                deadlocked = isinstance(error, _CONFLICT) and conflicts < MOST_CONFLICTS
                broken = kept and isinstance(problem, StoreUnavailable)
                if not (deadlocked or broken) or time.monotonic() + AGAIN_SECONDS > deadline:
                    # Not "from error": a traceback in the log would print PostgreSQL's text.
                    raise problem from None
                # Not cryptography: a random delay keeps the two from a second deadlock.
                time.sleep(random.uniform(0, 0.02 * conflicts))  # noqa: S311

    @contextmanager
    def transaction(self) -> Iterator[Opened]:
        """Open a transaction; it commits when the context ends without an error."""
        try:
            with (
                self._counted() as deadline,
                self._connection(deadline) as connection,
                connection.transaction(),
            ):
                yield connection
        except psycopg.Error as error:
            raise translated(error) from None

    def close(self) -> None:
        """Close all unused connections; the next use opens another."""
        while self._kept:
            self._kept.pop().close()

    @contextmanager
    def _counted(self) -> Iterator[float]:
        """Yield the deadline of one use of the database; subtract its duration from the limit."""
        began = time.monotonic()
        try:
            yield min(self._thread.deadline, began + min(ANSWER_SECONDS, self._thread.left))
        finally:
            self._thread.left -= time.monotonic() - began

    @contextmanager
    def _connection(self, deadline: float) -> Iterator[Opened]:
        """Yield an open connection for this thread alone; discard it if it is broken."""
        if self._thread.connection is not None:
            yield self._thread.connection
            return
        with self._turns:
            connection = self._thread.connection = self._open()
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

    def _open(self) -> Opened:
        """Return the last used connection, or a new one."""
        while self._kept:
            connection = self._kept.pop()
            if not _is_ended(connection):
                return connection
            connection.close()
        return self._connect()


def _is_ended(connection: Opened) -> bool:
    """Tell whether the server ended an idle connection: it only writes to one to end it."""
    if connection.closed:
        return True
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
