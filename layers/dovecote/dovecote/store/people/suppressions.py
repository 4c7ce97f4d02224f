"""Suppressed addresses, and the routes that were skipped because of them."""

from dovecote.people.suppressions import Suppression
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute, in_transaction, rows


class PostgresSuppressions(Queries):
    """Addresses to which nothing is sent."""

    def find(self, email: str) -> Suppression | None:
        """Return the suppression of an address."""
        found = self._rows("people/suppression", email=email)
        return Suppression(email=email, **found[0]) if found else None

    def put(self, email: str) -> Suppression:
        """Suppress an address; one that is already suppressed keeps its reason."""
        (row,) = self._rows("people/put_suppression", email=email)
        return Suppression(email=email, **row)

    @in_transaction
    def delete(self, connection: Opened, email: str, *, release: bool) -> int | None:
        """Unsuppress an address; return how many of its skipped routes are pending again.

        Return None if it is not suppressed.
        """
        parameters = {"email": email}
        if not execute(connection, "people/delete_suppression", parameters).rowcount:
            return None
        return len(rows(connection, "people/release", parameters)) if release else 0
