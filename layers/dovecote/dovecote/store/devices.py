"""Devices in the schema `dovecote`, and what waits for one that is no more."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from dovecote.core.device import Device, Registration
from dovecote.store.database import Database, Opened
from dovecote.store.rows import rows
from dovecote.store.statements import statement


def bury(connection: Opened, endpoint: str, reported_at: datetime | None = None) -> bool:
    """Mark the device of an endpoint dead; return whether that was news.

    In a transaction: its routes are skipped in the same.
    """
    parameters = {"endpoint": endpoint, "reported_at": reported_at}
    return _parted(connection, "mark_device_dead", parameters)


class PostgresDevices:
    """The devices of users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def registrations(self, user_id: str) -> Sequence[Registration]:
        """Return the devices of a user as they stand, the oldest first."""
        parameters = {"user_id": user_id}

        def work(connection: Opened) -> Sequence[Registration]:
            with connection.cursor(row_factory=class_row(Registration)) as cursor:
                return cursor.execute(statement("registrations"), parameters).fetchall()

        return self._database.ask(work)

    def sessions(self, user_id: str) -> Sequence[str]:
        """Return the ids of a user's devices, also of those whose endpoints are still to delete."""
        found = self._rows("sessions", user_id=user_id)
        return [row["device_session_id"] for row in found]

    def put(self, device: Device) -> Sequence[str]:
        """Register a device, or give it its new token; return its retired endpoints."""
        parameters = _values(device)

        def work(connection: Opened) -> Sequence[str]:
            connection.execute(statement("lock_device"), parameters)
            _parted(connection, "release_endpoint", parameters)
            connection.execute(statement("retire_endpoint"), parameters)
            connection.execute(statement("put_device"), parameters)
            return _retired(connection, parameters)

        return self._database.run(work)

    def forget(self, user_id: str, device_session_id: str) -> Sequence[str]:
        """Forget a device; return its retired endpoints."""
        parameters = {"user_id": user_id, "device_session_id": device_session_id, "endpoint": None}

        def work(connection: Opened) -> Sequence[str]:
            connection.execute(statement("lock_device"), parameters)
            connection.execute(statement("retire_endpoint"), parameters)
            _parted(connection, "delete_device", parameters)
            return _retired(connection, parameters)

        return self._database.run(work)

    def using(self, endpoint: str) -> Device | None:
        """Return the device that uses an endpoint."""
        found = self._rows("device_of_endpoint", endpoint=endpoint)
        return Device(**found[0]) if found else None

    def replace_endpoint(self, device: Device, endpoint: str) -> None:
        """Give a device that still has its deleted endpoint another one, and make it live."""
        parameters = {**_values(device), "deleted": device.endpoint, "endpoint": endpoint}

        def work(connection: Opened) -> None:
            connection.execute(statement("lock_device"), parameters)
            connection.execute(statement("replace_endpoint"), parameters)

        self._database.run(work)

    def endpoint_deleted(self, user_id: str, device_session_id: str, endpoint: str) -> None:
        """Take a retired endpoint of a device off the record."""
        parameters = {
            "user_id": user_id, "device_session_id": device_session_id, "endpoint": endpoint,
        }  # fmt: skip
        self._database.ask(
            lambda connection: connection.execute(statement("delete_retired_endpoint"), parameters)
        )

    def _rows(self, name: str, **parameters: str) -> list[dict[str, Any]]:
        return self._database.ask(lambda connection: rows(connection, name, parameters))


def _values(device: Device) -> dict[str, Any]:
    return {name: getattr(device, name) for name in Device.__struct_fields__}


def _retired(connection: Opened, parameters: Mapping[str, object]) -> Sequence[str]:
    return [row["endpoint"] for row in rows(connection, "retired_endpoints", parameters)]


def _parted(connection: Opened, name: str, parameters: Mapping[str, object]) -> bool:
    """Part users from a device by a statement that returns whose it was, and skip its routes."""
    parted = connection.execute(statement(name), parameters).fetchall()
    for user_id, device_session_id in parted:
        whose = {"user_id": user_id, "device_session_id": device_session_id}
        connection.execute(statement("skip_device"), whose)
    return bool(parted)
