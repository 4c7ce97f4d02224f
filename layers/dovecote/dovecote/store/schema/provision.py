"""Provision a database: wait for it, migrate it, make its users.

The migration registers the channels.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
import psycopg
from psycopg import errors

from dovecote.core.errors import StoreError, StoreUnavailable
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.store.database import Connection, Unanswered, translated
from dovecote.store.schema.migrate import known, migrate_with, newest
from dovecote.store.schema.roles import make_users

WAKE_SECONDS = 300.0
"""How long to wait for a database.

A paused cluster wakes within 30 s, and a new one accepts IAM tokens after some minutes. A longer
wait means a wrong name, user or network, which a deployment should report soon.
"""

PAUSE_SECONDS = 2.0
"""How long to wait between two attempts to connect."""


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """The result: the files that were applied, and the version of the schema."""

    applied: Sequence[str]
    version: int


class Provision(msgspec.Struct, kw_only=True):
    """Bring a database to this release."""

    connect: Callable[[], Connection]
    clock: Clock
    sleep: Sleep
    log: Log

    def __call__(self, users: Mapping[str, str], seconds: float) -> Provisioned:
        """Migrate, and make each function's user; `users` are names by function.

        This takes at most so many seconds, on the server too. Raises StoreError, ChangedMigration
        and BadUsers, whose texts repeat no row and no secret.
        """
        deadline = self.clock() + seconds
        try:
            with self._awake(deadline) as connection:
                connection.deadline = deadline
                applied = migrate_with(connection, known(), self._report)
                make_users(connection, users)
                return Provisioned(applied=applied, version=newest(connection))
        except psycopg.Error as error:
            raise _in_words(error) from None

    def _report(self, file: str, rows: int) -> None:
        self.log.info("migration in progress", file=file, rows=rows)

    def _awake(self, deadline: float) -> Connection:
        """Connect, and repeat it while that may help.

        libpq describes a failed connection only in words, so every failure may be temporary: a
        database that wakes or starts, its new name, IAM on a new cluster.
        """
        until = min(deadline, self.clock() + WAKE_SECONDS) - PAUSE_SECONDS
        while True:
            try:
                return self.connect()
            except psycopg.OperationalError as error:
                if self.clock() >= until:
                    raise
                self.log.warning("database not there yet", error=str(translated(error)))
            self.sleep(PAUSE_SECONDS)


def _in_words(error: psycopg.Error) -> StoreError:
    """Return the store's error, with the file or user of its cause."""
    problem = translated(error)
    what = [*getattr(error, "__notes__", ()), str(problem)]
    if isinstance(error, (errors.QueryCanceled, Unanswered)):
        return StoreUnavailable(": ".join(["the time ran out", *what]))
    return type(problem)(": ".join(what))
