"""Erase people from stored routes and notifications."""

from collections.abc import Mapping, Sequence
from typing import Any

from dovecote.people.erasure import Erased
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute, in_transaction, rows

Rows = Sequence[Mapping[str, Any]]


class PostgresErasure(Queries):
    """Erases users and addresses, some routes at a time."""

    @in_transaction
    def erase_user(self, connection: Opened, user_id: str, most: int) -> Erased:
        """Erase a user from so many routes, and suppress the addresses that no other user has."""
        user = {"user_id": user_id, "most": most}
        found = rows(connection, "people/lock_routes_of_user", user)
        _erase(connection, found)
        addresses = sorted({row["address"] for row in found if row["address"] is not None})
        parameters = {"addresses": addresses, "user_id": user_id}
        own = rows(connection, "people/own_addresses", parameters)
        _suppress(connection, [row["address"] for row in own])
        return _counted(found, most)

    @in_transaction
    def erase_address(self, connection: Opened, address: str, most: int) -> Erased:
        """Erase an address, and its users, from so many routes."""
        parameters = {"address": address, "most": most}
        found = rows(connection, "people/lock_routes_of_address", parameters)
        _erase(connection, found)
        return _counted(found, most)

    def suppress(self, address: str) -> None:
        """Suppress an address by its hash alone."""
        self.database.ask(lambda connection: _suppress(connection, [address]))


def _erase(connection: Opened, found: Rows) -> None:
    """Erase locked routes, and the payloads of notifications that concern no other person."""
    without_user = [row for row in found if row["without_user"]]
    neighbours = {
        "notification_ids": [row["notification_id"] for row in without_user],
        "positions": [row["position"] for row in without_user],
    }
    notifications = {"notification_ids": sorted({row["notification_id"] for row in found})}
    execute(connection, "people/erase", {"route_ids": [row["route_id"] for row in found]})
    execute(connection, "people/erase_neighbours", neighbours)
    execute(connection, "people/lock_notifications", notifications)
    execute(connection, "people/empty_payloads", notifications)


def _suppress(connection: Opened, addresses: Sequence[str]) -> None:
    execute(connection, "people/suppress_erased", {"addresses": list(addresses)})


def _counted(found: Rows, most: int) -> Erased:
    in_flight = sum(row["in_flight"] for row in found)
    return Erased(routes=len(found), in_flight=in_flight, remaining=len(found) == most)
