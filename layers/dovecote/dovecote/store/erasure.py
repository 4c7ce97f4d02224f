"""The erasure of people, on PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from dovecote.people.erasure import Erased
from dovecote.store.database import Database, Opened
from dovecote.store.rows import rows
from dovecote.store.statements import statement

Rows = Sequence[Mapping[str, Any]]


class PostgresErasure:
    """Takes people out of what is stored of them, some routes at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase_user(self, user_id: str, most: int) -> Erased:
        """Erase a user from so many routes, and suppress the addresses that are theirs alone."""

        def work(connection: Opened) -> Erased:
            found = rows(connection, "routes_of_user", {"user_id": user_id, "most": most})
            _erase(connection, found)
            addresses = sorted({row["address"] for row in found if row["address"] is not None})
            asked = {"addresses": addresses, "user_id": user_id}
            own = rows(connection, "own_addresses", asked)
            _suppress(connection, [row["address"] for row in own])
            return _counted(found, most)

        return self._database.run(work)

    def erase_address(self, address: str, most: int) -> Erased:
        """Erase an address, and whom it is of, from so many routes."""

        def work(connection: Opened) -> Erased:
            found = rows(connection, "routes_of_address", {"address": address, "most": most})
            _erase(connection, found)
            return _counted(found, most)

        return self._database.run(work)

    def suppress(self, address: str) -> None:
        """Suppress an address by its hash alone."""
        self._database.ask(lambda connection: _suppress(connection, [address]))


def _erase(connection: Opened, found: Rows) -> None:
    """Erase routes that are locked, and what their notifications say where it is of nobody else."""
    nameless = [row for row in found if row["nameless"]]
    beside = {
        "notification_ids": [row["notification_id"] for row in nameless],
        "positions": [row["position"] for row in nameless],
    }
    notifications = {"notification_ids": sorted({row["notification_id"] for row in found})}
    connection.execute(statement("erase"), {"route_ids": [row["route_id"] for row in found]})
    connection.execute(statement("erase_beside"), beside)
    connection.execute(statement("lock_notifications"), notifications)
    connection.execute(statement("empty_payloads"), notifications)


def _suppress(connection: Opened, addresses: Sequence[str]) -> None:
    connection.execute(statement("suppress_erased"), {"addresses": list(addresses)})


def _counted(found: Rows, most: int) -> Erased:
    in_flight = sum(row["in_flight"] for row in found)
    return Erased(routes=len(found), in_flight=in_flight, remaining=len(found) == most)
