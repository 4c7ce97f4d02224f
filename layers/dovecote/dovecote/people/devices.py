"""Register, show and delete devices: SNS platform endpoints and their users."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from dovecote.core.device import Device, Registration
from dovecote.core.errors import ProviderUnavailable, TokenRefused, UserErased
from dovecote.core.parsing import bodies, queries
from dovecote.core.parsing.identifiers import Identifier
from dovecote.core.parsing.queries import Page, Reader
from dovecote.core.problems import Conflict, Fault, Invalid, NotFound

if TYPE_CHECKING:  # few functions register devices
    from dovecote.channels.endpoints import Endpoints

REFUSED = "The device cannot be registered."
ERASED = "The user was erased. DELETE /suppressions?user_id=… lifts that."

DEVICE: Mapping[str, Reader] = {
    "user_id": queries.identifier,
    "device_session_id": queries.identifier,
}
"""The parameters that name a device."""

TRIES = 3
"""How often a registration starts again after another call deleted its endpoint."""


MAX_TOKEN_BYTES = 4096
"""The longest token in UTF-8. Providers document neither a format nor a limit."""

Token = Annotated[str, Meta(pattern=r"^(?=.*\S)[^\x00-\x1f\x7f]*\Z")]
"""A device token of the push provider: any text without control characters that is not blank."""


class DeviceRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a registration."""

    user_id: Identifier
    device_session_id: Identifier
    platform: str
    token: Token


class DeviceStore(Protocol):
    """The devices of users. Every call may raise StoreError."""

    def registrations(
        self, user_id: str, session: str | None, after: str, limit: int
    ) -> Sequence[Registration]:
        """Return devices of a user in the order of their sessions, or the one of a session.

        None of them comes before or at `after`; return at most `limit`.
        """

    def sessions(self, user_id: str) -> Sequence[str]:
        """Return the ids of a user's devices, deleted ones with undeleted endpoints included."""

    def is_erased(self, user_id: str) -> bool:
        """Return whether a user was erased."""

    def put(self, device: Device) -> Sequence[str]:
        """Register a device, or give it its new token and endpoint; return its retired endpoints.

        Raises UserErased with nothing stored.

        Another device that had the endpoint loses it, and its waiting routes are skipped. Retired
        endpoints are those that this device used and that the caller is to delete.
        """

    def delete(self, user_id: str, device_session_id: str) -> Sequence[str]:
        """Delete a device and skip its waiting routes; return its retired endpoints."""

    def using(self, endpoint: str) -> Device | None:
        """Return the device that uses an endpoint."""

    def replace_endpoint(self, device: Device, endpoint: str) -> None:
        """Give a device that still has its deleted endpoint another one, and make it live."""

    def endpoint_deleted(self, user_id: str, device_session_id: str, endpoint: str) -> None:
        """Remove a retired endpoint, once the provider has deleted it."""


def find_devices(store: DeviceStore, query: str) -> Page[Registration]:
    """Return a page of a user's devices in the order of their sessions, or the one of a session.

    Raises Malformed and Invalid.
    """
    readers = {**DEVICE, "after": queries.identifier, "limit": queries.limit}
    refused = "The request does not name a user."
    given = queries.read(query, readers, refused, required=("user_id",))
    limit = given.get("limit", queries.USUAL)
    session, after = given.get("device_session_id"), given.get("after", "")
    found = store.registrations(given["user_id"], session, after, limit + 1)
    return queries.page(found, limit, lambda one: one.device_session_id)


class Devices(Struct, kw_only=True):
    """Register and delete the devices of users.

    The store changes first. It keeps each retired endpoint until the provider has deleted it, so
    that a repeated call finishes a failed one. Other calls may run between any two steps (ADR 27):
    a registration ends by checking that its endpoint still exists, a deletion by checking whether
    another device now uses the endpoint.
    """

    store: DeviceStore
    endpoints: "Endpoints"

    def put(self, body: bytes) -> Device:
        """Register a device, or give it another token.

        Raises Malformed, TooLarge, Invalid, and Conflict for an erased user.
        """
        request = bodies.read(body, DeviceRequest, REFUSED)
        if len(request.token.encode()) > MAX_TOKEN_BYTES:
            detail = f"is longer than {MAX_TOKEN_BYTES:,} bytes in UTF-8"
            raise Invalid(REFUSED, [Fault("/token", detail)])
        try:
            device, retired = self._register(request)
        except TokenRefused as error:
            raise Invalid(REFUSED, [Fault("", str(error))]) from None
        except UserErased:
            raise Conflict(ERASED) from None
        for endpoint in retired:
            self._delete_endpoint(device.user_id, device.device_session_id, endpoint)
        return device

    def delete(self, query: str) -> None:
        """Delete a device; raise Malformed, Invalid or NotFound."""
        device = queries.read(query, DEVICE, "The request does not name a device.", required=DEVICE)
        if not self.delete_device(**device):
            raise NotFound("The user has no such device.")

    def sessions(self, user_id: str) -> Sequence[str]:
        """Return the ids of a user's devices, incompletely deleted ones included."""
        return self.store.sessions(user_id)

    def delete_device(self, user_id: str, device_session_id: str) -> bool:
        """Delete a device, or finish its deletion; return False if there was none to delete."""
        retired = self.store.delete(user_id, device_session_id)
        for endpoint in retired:
            self._delete_endpoint(user_id, device_session_id, endpoint)
        return bool(retired)

    def _register(self, request: DeviceRequest) -> tuple[Device, Sequence[str]]:
        """Create an endpoint and store it; repeat if the endpoint no longer exists after that."""
        if self.store.is_erased(request.user_id):
            raise UserErased
        for _ in range(TRIES):
            device = Device(
                user_id=request.user_id,
                device_session_id=request.device_session_id,
                platform=request.platform,
                token=request.token,
                endpoint=self.endpoints.create(request.platform, request.token),
            )
            try:
                retired = self.store.put(device)
            except UserErased:  # since the first look
                self._delete_endpoint(device.user_id, device.device_session_id, device.endpoint)
                raise
            if self.endpoints.enable(device.endpoint, device.token):
                return device, retired
        raise ProviderUnavailable("EndpointDeleted")

    def _delete_endpoint(self, user_id: str, device_session_id: str, endpoint: str) -> None:
        """Delete a retired endpoint at the provider, unless a device uses it."""
        before = self.store.using(endpoint)
        if before is None:
            self.endpoints.delete(endpoint)
        device = self.store.using(endpoint)
        # A push that found the endpoint deleted may have marked a new device dead meanwhile.
        if device is not None and not (before is not None and device.dead):
            self._restore(device)
        self.store.endpoint_deleted(user_id, device_session_id, endpoint)

    def _restore(self, device: Device) -> None:
        """Make sure that the endpoint of a device exists; a push to a missing one marks it dead."""
        with suppress(TokenRefused):
            endpoint = self.endpoints.create(device.platform, device.token)
            self.store.replace_endpoint(device, endpoint)
