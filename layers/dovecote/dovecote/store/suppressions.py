"""Suppressions in the schema `dovecote`, and what waits behind them."""

from dovecote.people.suppressions import Suppression
from dovecote.store.database import Database, Opened
from dovecote.store.rows import rows
from dovecote.store.statements import statement


class PostgresSuppressions:
    """Addresses that nothing is sent to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, email: str) -> Suppression | None:
        """Return the suppression of an address."""
        found = self._database.ask(
            lambda connection: rows(connection, "suppression", {"email": email})
        )
        return Suppression(email=email, **found[0]) if found else None

    def put(self, email: str) -> Suppression:
        """Suppress an address, unless it is suppressed already; return what stands."""
        (channel_state,) = self._database.ask(
            lambda connection: rows(connection, "put_suppression", {"email": email})
        )
        return Suppression(email=email, **channel_state)

    def delete(self, email: str, *, release: bool) -> int | None:
        """Let an address be sent to again; return how many of its routes were released.

        None where it is not suppressed.
        """
        parameters = {"email": email}

        def work(connection: Opened) -> int | None:
            if not connection.execute(statement("delete_suppression"), parameters).rowcount:
                return None
            return len(rows(connection, "release", parameters)) if release else 0

        return self._database.run(work)
