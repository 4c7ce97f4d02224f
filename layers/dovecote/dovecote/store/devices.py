"""Devices in the schema `dovecote`, and what waits for one that is no more."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg.rows import class_row

from dovecote.model import Device, Registration
from dovecote.store.database import Database, Opened
from dovecote.store.statements import statement


def bury(connection: Opened, endpoint: str, told_at: datetime | None = None) -> bool:
    """Mark the device of an endpoint dead; return whether that was news.

    In a transaction: its routes are skipped in the same.
    """
    parameters = {"endpoint": endpoint, "told_at": told_at}
    return _parted(connection, "bury_device", parameters)


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

    def endpoint(self, user_id: str, device_session_id: str) -> str | None:
        """Return the endpoint of a device, or None where the user has no such device."""
        parameters = {"user_id": user_id, "device_session_id": device_session_id}
        found = self._database.ask(
            lambda connection: connection.execute(statement("endpoint"), parameters).fetchone()
        )
        return None if found is None else str(found[0])

    def put(self, device: Device) -> None:
        """Register a device, or give it its new token and endpoint."""
        parameters = {name: getattr(device, name) for name in Device.__struct_fields__}

        def work(connection: Opened) -> None:
            _parted(connection, "release_endpoint", parameters)
            connection.execute(statement("put_device"), parameters)

        self._database.run(work)

    def forget(self, user_id: str, device_session_id: str) -> None:
        """Forget a device."""
        parameters = {"user_id": user_id, "device_session_id": device_session_id}
        self._database.run(lambda connection: _parted(connection, "delete_device", parameters))


def _parted(connection: Opened, name: str, parameters: Mapping[str, object]) -> bool:
    """Part users from a device by a statement that returns whose it was, and skip its routes."""
    parted = connection.execute(statement(name), parameters).fetchall()
    for user_id, device_session_id in parted:
        whose = {"user_id": user_id, "device_session_id": device_session_id}
        connection.execute(statement("skip_device"), whose)
    return bool(parted)
