"""Suppressed addresses, and the routes that were skipped because of them."""

from dovecote.people.suppressions import Suppression
from dovecote.store.people.places import BEGINNING, place_after
from dovecote.store.queries import Queries

MOST_ROUTES = 1000
"""How many routes of an address one transaction of a release reads."""


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

    def delete(self, email: str) -> bool:
        """Unsuppress an address; return False if it was not suppressed."""
        return bool(self._count("people/delete_suppression", email=email))

    def release(self, email: str) -> int:
        """Make the routes pending that were skipped for an address; return how many.

        Each transaction reads so many of its routes that it takes milliseconds.
        """
        released, place = 0, BEGINNING
        while found := self._rows("people/release", email=email, most=MOST_ROUTES, **place):
            released += sum(row["released"] for row in found)
            place = place_after(found[-1])
        return released
