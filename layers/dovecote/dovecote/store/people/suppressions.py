"""Suppressed people, and the routes that were skipped because of it."""

from dovecote.people.suppressions import Suppression
from dovecote.store.database import Database
from dovecote.store.people.places import BEGINNING, place_after
from dovecote.store.person_hash import PersonHash
from dovecote.store.queries import Queries

MOST_ROUTES = 1000
"""How many routes of an address one transaction of a release reads."""


class PostgresSuppressions(Queries):
    """Addresses to which nothing is sent, and erased users."""

    def __init__(self, database: Database, hashes: PersonHash) -> None:
        super().__init__(database)
        self._hashes = hashes

    def find(self, field: str, value: str) -> Suppression | None:
        """Return the suppression of an `email` or a `user_id`."""
        found = self._rows("people/suppression", person_hash=self._hashes.of(field, value))
        return Suppression(**{field: value, **found[0]}) if found else None

    def put(self, email: str) -> Suppression:
        """Suppress an address; one that is already suppressed keeps its reason."""
        person_hash = self._hashes.address(email)
        (row,) = self._rows("people/put_suppression", email=email, person_hash=person_hash)
        return Suppression(email=email, **row)

    def delete(self, field: str, value: str) -> bool:
        """Unsuppress an `email` or a `user_id`; return False if it was not suppressed."""
        person_hash = self._hashes.of(field, value)
        return bool(self._count("people/delete_suppression", person_hash=person_hash))

    def release(self, email: str) -> int:
        """Make the routes pending that were skipped for an address; return how many.

        Each transaction reads so many of its routes that it takes milliseconds.
        """
        person = {"person_hash": self._hashes.address(email), "most": MOST_ROUTES}
        released, place = 0, BEGINNING
        while found := self._rows("people/release", **person, **place):
            released += sum(row["released"] for row in found)
            place = place_after(found[-1])
        return released
