"""Register and forget devices: SNS platform endpoints, and whose they are."""

from collections.abc import Mapping

import msgspec

from dovecote import bodies
from dovecote.model import Device
from dovecote.ports import Endpoints, Store, TokenRefused
from dovecote.problems import Fault, Invalid, NotFound
from dovecote.submission import Identifier, is_identifier

REFUSED = "The device cannot be registered."


class DeviceRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a registration."""

    platform: str
    token: Identifier


class Devices:
    """Use cases of a user's devices."""

    def __init__(self, *, store: Store, endpoints: Endpoints) -> None:
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
        before = self._find(user_id, device_session_id)
        if before is not None and before.endpoint != endpoint:
            self._endpoints.delete(before.endpoint)
        device = Device(
            user_id=user_id,
            device_session_id=device_session_id,
            platform=request.platform,
            token=request.token,
            endpoint=endpoint,
        )
        self._store.put_device(device)
        return device

    def delete(self, user_id: str, device_session_id: str) -> None:
        """Forget a device; raise NotFound.

        At the provider first: an endpoint whose row is gone could not be found again.
        """
        device = self._find(user_id, device_session_id)
        if device is None:
            raise NotFound("The user has no such device.")
        self._endpoints.delete(device.endpoint)
        self._store.delete_device(user_id, device_session_id)

    def _find(self, user_id: str, device_session_id: str) -> Device | None:
        if not is_identifier(user_id):
            return None
        devices = self._store.devices([user_id])
        return next((d for d in devices if d.device_session_id == device_session_id), None)


def _check_ids(ids: Mapping[str, str]) -> None:
    faults = [
        Fault("", f"{name} is not 1 to 255 characters without control characters")
        for name, value in ids.items()
        if not is_identifier(value)
    ]
    if faults:
        raise Invalid(REFUSED, faults)
