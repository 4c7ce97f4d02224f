"""Devices, and the routes that wait for a device that is gone."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import asdict

from dovecote.core.device import Device, Registration
from dovecote.core.errors import UserErased
from dovecote.store.database import Database, Opened
from dovecote.store.person_hash import PersonHash
from dovecote.store.queries import Parameters, Queries, execute, in_transaction, rows


def mark_device_dead(
    connection: Opened, endpoint: str, reported_at: datetime | None = None
) -> bool:
    """Mark the device of an endpoint dead and skip its routes; return whether it was alive.

    The caller's transaction covers both. `reported_at` is now where it is None.
    """
    parameters = {"endpoint": endpoint, "reported_at": reported_at}
    return _detach(connection, "devices/mark_device_dead", parameters)


class PostgresDevices(Queries):
    """The devices of users."""

    def __init__(self, database: Database, hashes: PersonHash) -> None:
        super().__init__(database)
        self._hashes = hashes

    def registrations(
        self, user_id: str, session: str | None, after: str, limit: int
    ) -> Sequence[Registration]:
        """Return devices of a user in the order of their sessions, or the one of a session."""
        return self._all(
            Registration,
            "devices/registrations",
            user_id=user_id,
            device_session_id=session,
            after=after,
            limit=limit,
        )

    def sessions(self, user_id: str) -> Sequence[str]:
        """Return the ids of a user's devices, deleted ones with undeleted endpoints included."""
        found = self._rows("devices/sessions", user_id=user_id)
        return [row["device_session_id"] for row in found]

    def is_erased(self, user_id: str) -> bool:
        """Return whether a user was erased."""
        return self.database.ask(lambda connection: self._is_erased(connection, user_id))

    @in_transaction
    def put(self, connection: Opened, device: Device) -> Sequence[str]:
        """Register a device, or give it its new token; return its retired endpoints.

        Raises UserErased.
        """
        parameters = asdict(device)
        execute(connection, "people/share_submits")
        if self._is_erased(connection, device.user_id):
            raise UserErased
        execute(connection, "devices/lock_device", parameters)
        _detach(connection, "devices/release_endpoint", parameters)
        execute(connection, "devices/retire_endpoint", parameters)
        execute(connection, "devices/put_device", parameters)
        return _retired(connection, parameters)

    def _is_erased(self, connection: Opened, user_id: str) -> bool:
        return bool(
            rows(connection, "people/suppression", {"person_hash": self._hashes.user(user_id)})
        )

    @in_transaction
    def delete(self, connection: Opened, user_id: str, device_session_id: str) -> Sequence[str]:
        """Delete a device; return its retired endpoints."""
        parameters = {"user_id": user_id, "device_session_id": device_session_id, "endpoint": None}
        execute(connection, "devices/lock_device", parameters)
        execute(connection, "devices/retire_endpoint", parameters)
        _detach(connection, "devices/delete_device", parameters)
        return _retired(connection, parameters)

    def using(self, endpoint: str) -> Device | None:
        """Return the device that uses an endpoint."""
        return self._one(Device, "devices/device_of_endpoint", endpoint=endpoint)

    @in_transaction
    def replace_endpoint(self, connection: Opened, device: Device, endpoint: str) -> None:
        """Give a device that still has its deleted endpoint another one, and make it live."""
        parameters = {**asdict(device), "deleted": device.endpoint, "endpoint": endpoint}
        execute(connection, "devices/lock_device", parameters)
        execute(connection, "devices/replace_endpoint", parameters)

    def endpoint_deleted(self, user_id: str, device_session_id: str, endpoint: str) -> None:
        """Remove a retired endpoint, once the provider has deleted it."""
        self._count(
            "devices/delete_retired_endpoint",
            user_id=user_id,
            device_session_id=device_session_id,
            endpoint=endpoint,
        )


def _retired(connection: Opened, parameters: Parameters) -> Sequence[str]:
    return [row["endpoint"] for row in rows(connection, "devices/retired_endpoints", parameters)]


def _detach(connection: Opened, name: str, parameters: Parameters) -> bool:
    """Run a statement that takes devices from users and returns both; skip the devices' routes.

    Return whether there was any device.
    """
    detached = rows(connection, name, parameters)
    for device in detached:
        execute(connection, "devices/skip_device", device)
    return bool(detached)
