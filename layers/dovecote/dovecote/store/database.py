"""One cached connection, opened when it is first needed and again when it broke.

psycopg's errors become the store's here and nowhere else.
"""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from dovecote.ports import StoreBusy, StoreError, StoreFailed, StoreUnavailable

Connection = psycopg.Connection[tuple[object, ...]]

_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # After a failover the old writer answers so, on a connection that stays open.
    errors.ReadOnlySqlTransaction,
)
_BUSY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)


def translated(error: psycopg.Error) -> StoreError:
    """Return the store's error for one of psycopg's.

    PostgreSQL's own words may repeat a row; those of a failed connection name the server alone.
    """
    words = (
        (error.sqlstate, error.diag.constraint_name) if error.sqlstate else str(error).split("\n")
    )
    text = " ".join([type(error).__name__, *(word for word in words[:2] if word)])
    if isinstance(error, errors.LockNotAvailable) and not error.diag.context:
        return StoreUnavailable(text)  # a whole table is locked, and no row of ours
    if isinstance(error, _BUSY):
        return StoreBusy(text)
    if isinstance(error, _UNAVAILABLE):
        return StoreUnavailable(text)
    return StoreFailed(text)


class Database:
    """Hands out the connection of this execution environment."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield an open autocommit connection; discard it where it proves broken."""
        try:
            yield self._opened()
        except psycopg.Error as error:
            problem = translated(error)
            if isinstance(problem, StoreUnavailable):
                self.close()
            # Not "from error": a traceback in the log would print what PostgreSQL said.
            raise problem from None

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _opened(self) -> Connection:
        if self._connection is not None and _ended(self._connection):
            self.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection


def _ended(connection: Connection) -> bool:
    """Tell whether the server ended an idle connection: it writes to one only to say so."""
    if connection.closed:
        return True
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
