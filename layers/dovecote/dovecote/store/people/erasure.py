"""Erase people from stored routes and notifications."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from dovecote.people.erasure import Erased
from dovecote.store.database import Database, Opened
from dovecote.store.people.places import BEGINNING, place_after
from dovecote.store.person_hash import PersonHash
from dovecote.store.queries import Queries, execute, in_transaction, rows

Rows = Sequence[Mapping[str, Any]]


class PostgresErasure(Queries):
    """Erases users and addresses, some routes at a time."""

    def __init__(self, database: Database, hashes: PersonHash) -> None:
        super().__init__(database)
        self._hashes = hashes

    def erase_user(self, user_id: str, most: int) -> Iterator[Erased]:
        """Erase a user from so many routes at a time, and yield the counts of each transaction.

        Suppress the addresses that no other user has. An address that other users have too takes
        long to check if it has many routes: each one is checked once.
        """
        checked: set[bytes] = set()
        for found in self._batches("people/lock_routes_of_user", most, checked, user_id=user_id):
            checked |= _addresses(found)
            yield _counted(found, most)

    def erase_address(self, address: str, most: int) -> Iterator[Erased]:
        """Erase an address, and its users, from so many routes at a time; yield as `erase_user`."""
        own = self._hashes.address(address)
        for found in self._batches("people/lock_routes_of_address", most, {own}, person_hash=own):
            yield _counted(found, most)

    def _batches(
        self, lock: str, most: int, checked: Set[bytes], **person: object
    ) -> Iterator[Rows]:
        """Yield the erased routes of each transaction, in the order of the person's entries."""
        place = BEGINNING
        while True:
            found = self._erase(lock, {**person, **place, "most": most}, checked)
            place = place_after(found[-1]) if found else place
            yield found

    @in_transaction
    def _erase(
        self, connection: Opened, lock: str, parameters: Mapping[str, Any], checked: Set[bytes]
    ) -> Rows:
        """Lock and erase routes; return them."""
        found = rows(connection, lock, parameters)
        execute(connection, "people/erase", {"route_ids": [row["route_id"] for row in found]})
        hashes = sorted(_addresses(found) - checked)
        if hashes:
            execute(connection, "people/lock_submits")
            own = rows(connection, "people/own_addresses", {**parameters, "hashes": hashes})
            _suppress(connection, [row["hash"] for row in own])
        return found

    def suppress_user(self, user_id: str) -> None:
        """Suppress a user by a hash alone."""
        self._suppress(self._hashes.user(user_id))

    def suppress_address(self, address: str) -> None:
        """Suppress an address by its hash alone."""
        self._suppress(self._hashes.address(address))

    @in_transaction
    def _suppress(self, connection: Opened, person_hash: bytes) -> None:
        execute(connection, "people/lock_submits")
        _suppress(connection, [person_hash])


def _suppress(connection: Opened, hashes: Sequence[bytes]) -> None:
    execute(connection, "people/suppress_erased", {"hashes": list(hashes)})


def _addresses(found: Rows) -> set[bytes]:
    return {row["address_hash"] for row in found if row["address_hash"] is not None}


def _counted(found: Rows, most: int) -> Erased:
    in_flight = sum(row["in_flight"] for row in found)
    return Erased(routes=len(found), in_flight=in_flight, remaining=len(found) == most)
