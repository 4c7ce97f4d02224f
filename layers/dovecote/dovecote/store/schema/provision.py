"""Provision a database: wait for it, migrate it, make its users, publish the catalog."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import errors

from dovecote.catalog.publication import Publication
from dovecote.core.errors import StoreError, StoreUnavailable
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.store.database import Connection, Unanswered, translated
from dovecote.store.schema.migrate import known, migrate_with, newest
from dovecote.store.schema.publish import publish
from dovecote.store.schema.roles import make_users

WAKE_SECONDS = 300.0
"""How long to wait for a database.

A paused cluster wakes within 30 s, and a new one accepts IAM tokens after some minutes. A longer
wait means a wrong name, user or network, which a deployment should report soon.
"""

PAUSE_SECONDS = 2.0
"""How long to wait between two attempts to connect."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisioned:
    """The result: the files that were applied, and the version of the schema."""

    applied: Sequence[str]
    version: int


class Provision:
    """Bring a database to this release."""

    def __init__(
        self,
        *,
        connect: Callable[[], Connection],
        publication: Publication,
        clock: Clock,
        sleep: Sleep,
        log: Log,
    ) -> None:
        self._connect = connect
        self._publication = publication
        self._clock = clock
        self._sleep = sleep
        self._log = log

    def __call__(self, users: Mapping[str, str], seconds: float) -> Provisioned:
        """Migrate, make each function's user, and publish; `users` are names by function.

        This takes at most so many seconds, on the server too. Raises StoreError, ChangedMigration
        and BadUsers, whose texts repeat no row and no secret.
        """
        deadline = self._clock() + seconds
        try:
            with self._awake(deadline) as connection:
                connection.deadline = deadline
                applied = migrate_with(connection, known())
                make_users(connection, users)
                publish(connection, self._publication)
                return Provisioned(applied=applied, version=newest(connection))
        except psycopg.Error as error:
            raise _in_words(error) from None

    def _awake(self, deadline: float) -> Connection:
        """Connect, and repeat it while that may help.

        libpq describes a failed connection only in words, so every failure may be temporary: a
        database that wakes or starts, its new name, IAM on a new cluster.
        """
        until = min(deadline, self._clock() + WAKE_SECONDS) - PAUSE_SECONDS
        while True:
            try:
                return self._connect()
            except psycopg.OperationalError as error:
                if self._clock() >= until:
                    raise
                self._log.warning("database not there yet", error=str(translated(error)))
            self._sleep(PAUSE_SECONDS)


def _in_words(error: psycopg.Error) -> StoreError:
    """Return the store's error, with the file or user of its cause."""
    problem = translated(error)
    what = [*getattr(error, "__notes__", ()), str(problem)]
    if isinstance(error, (errors.QueryCanceled, Unanswered)):
        return StoreUnavailable(": ".join(["the time ran out", *what]))
    return type(problem)(": ".join(what))
