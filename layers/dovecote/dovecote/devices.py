"""Register, show and forget devices: SNS platform endpoints, and whose they are."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from dovecote import bodies
from dovecote.model import Device, Registration
from dovecote.ports import Endpoints, TokenRefused
from dovecote.problems import Fault, Invalid, NotFound
from dovecote.submission import Identifier, is_identifier

REFUSED = "The device cannot be registered."
UNKNOWN = "The user has no such device."


class DeviceRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a registration."""

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

    def all(self, user_id: str) -> Sequence[Registration]:
        """Return the devices of a user, the oldest first; none of one who is unknown."""
        return self._store.registrations(user_id) if is_identifier(user_id) else ()

    def get(self, user_id: str, device_session_id: str) -> Registration:
        """Return a device; raise NotFound."""
        for device in self.all(user_id):
            if device.device_session_id == device_session_id:
                return device
        raise NotFound(UNKNOWN)


class Devices:
    """Register and forget the devices of users."""

    def __init__(self, *, store: DeviceStore, endpoints: Endpoints) -> None:
        self._store = store
        self._endpoints = endpoints

    def put(self, user_id: str, device_session_id: str, body: bytes) -> Device:
        """Register a device, or give it another token; raise Malformed or Invalid."""
        request = bodies.read(body, DeviceRequest, REFUSED)
        _check_ids({"user_id": user_id, "device_session_id": device_session_id})
        try:
            endpoint = self._endpoints.create(request.platform, request.token)
        except TokenRefused as error:
            raise Invalid(REFUSED, [Fault("", str(error))]) from None
        before = self._store.endpoint(user_id, device_session_id)
        if before not in (None, endpoint):
            self._endpoints.delete(before)
        device = Device(
            user_id=user_id,
            device_session_id=device_session_id,
            platform=request.platform,
            token=request.token,
            endpoint=endpoint,
        )
        self._store.put(device)
        return device

    def delete(self, user_id: str, device_session_id: str) -> None:
        """Forget a device; raise NotFound.

        At the provider first: an endpoint whose row is gone could not be found again.
        """
        known = is_identifier(user_id) and is_identifier(device_session_id)
        endpoint = self._store.endpoint(user_id, device_session_id) if known else None
        if endpoint is None:
            raise NotFound(UNKNOWN)
        self._endpoints.delete(endpoint)
        self._store.forget(user_id, device_session_id)


def _check_ids(ids: Mapping[str, str]) -> None:
    faults = [
        Fault("", f"{name} is not 1 to 255 characters without control characters")
        for name, value in ids.items()
        if not is_identifier(value)
    ]
    if faults:
        raise Invalid(REFUSED, faults)
