"""Register, show and forget devices: SNS platform endpoints, and whose they are."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from dovecote import bodies, queries
from dovecote.model import Device, Registration
from dovecote.ports import Endpoints, TokenRefused
from dovecote.problems import Fault, Invalid, NotFound
from dovecote.queries import Reader
from dovecote.submission import Identifier

REFUSED = "The device cannot be registered."
UNKNOWN = "The user has no such device."
UNNAMED = "The request does not name a device."
UNNAMED_USER = "The request does not name a user."

DEVICE: Mapping[str, Reader] = {
    "user_id": queries.identifier,
    "device_session_id": queries.identifier,
}
"""The parameters that name a device."""


class DeviceRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a registration."""

    user_id: Identifier
    device_session_id: Identifier
    platform: str
    token: Identifier


class DeviceStore(Protocol):
    """Whose which device is. Every call may raise StoreError."""

    def registrations(self, user_id: str) -> Sequence[Registration]:
        """Return the devices of a user as they stand, the oldest first."""

    def endpoint(self, user_id: str, device_session_id: str) -> str | None:
        """Return the endpoint of a device, or None where the user has no such device."""

    def put(self, device: Device) -> None:
        """Register a device, or give it its new token and endpoint.

        The endpoint is taken from whoever had it, and what waits for that device is skipped.
        """

    def forget(self, user_id: str, device_session_id: str) -> None:
        """Forget a device; what waits for it is skipped."""


class Registrations:
    """Show the devices of users."""

    def __init__(self, *, store: DeviceStore) -> None:
        self._store = store

    def find(self, query: str) -> Sequence[Registration]:
        """Return the devices of a user, the oldest first, or the one of a session; none if unknown.

        Raises Malformed and Invalid.
        """
        given = queries.read(query, DEVICE, UNNAMED_USER, required=("user_id",))
        devices = self._store.registrations(given["user_id"])
        session = given.get("device_session_id")
        return [one for one in devices if session in (None, one.device_session_id)]


class Devices:
    """Register and forget the devices of users."""

    def __init__(self, *, store: DeviceStore, endpoints: Endpoints) -> None:
        self._store = store
        self._endpoints = endpoints

    def put(self, body: bytes) -> Device:
        """Register a device, or give it another token; raise Malformed, TooLarge or Invalid."""
        request = bodies.read(body, DeviceRequest, REFUSED)
        try:
            endpoint = self._endpoints.create(request.platform, request.token)
        except TokenRefused as error:
            raise Invalid(REFUSED, [Fault("", str(error))]) from None
        before = self._store.endpoint(request.user_id, request.device_session_id)
        if before not in (None, endpoint):
            self._endpoints.delete(before)
        device = Device(
            user_id=request.user_id,
            device_session_id=request.device_session_id,
            platform=request.platform,
            token=request.token,
            endpoint=endpoint,
        )
        self._store.put(device)
        return device

    def delete(self, query: str) -> None:
        """Forget a device; raise Malformed, Invalid or NotFound.

        At the provider first: an endpoint whose row is gone could not be found again.
        """
        device = queries.read(query, DEVICE, UNNAMED, required=DEVICE)
        endpoint = self._store.endpoint(**device)
        if endpoint is None:
            raise NotFound(UNKNOWN)
        self._endpoints.delete(endpoint)
        self._store.forget(**device)
