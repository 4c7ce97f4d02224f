"""Suppress addresses and let them go: what bounced, complained, or is an operator's to say."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from dovecote import bodies
from dovecote.addresses import BadAddress, normalised
from dovecote.model import Suppression
from dovecote.problems import Fault, Invalid, NotFound

UNKNOWN = "The address is not suppressed."
REFUSED = "The request cannot be taken."

MANUAL = "manual"
"""The reason of whatever an operator suppresses."""


class Suppressions(Protocol):
    """Addresses that nothing is sent to. Every call may raise StoreError."""

    def find(self, email: str) -> Suppression | None:
        """Return the suppression of an address."""

    def put(self, email: str) -> Suppression:
        """Suppress an address, unless it is suppressed already; return what stands."""

    def delete(self, email: str, *, release: bool) -> int | None:
        """Let an address be sent to again; return how many of its routes were released.

        None where it is not suppressed.
        """


class SuppressionRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a suppression; it may be empty."""

    reason: str = MANUAL


class KeepSuppressions:
    """Use cases of suppressed addresses; the case of their letters is nobody's concern."""

    def __init__(self, *, store: Suppressions) -> None:
        self._store = store

    def get(self, email: str) -> Suppression:
        """Return the suppression of an address; raise Invalid or NotFound."""
        suppression = self._store.find(_address(email))
        if suppression is None:
            raise NotFound(UNKNOWN)
        return suppression

    def put(self, email: str, body: bytes) -> Suppression:
        """Suppress an address; one that is suppressed keeps its reason.

        Raises Malformed, TooLarge and Invalid.
        """
        address = _address(email)
        request = bodies.read(body or b"{}", SuppressionRequest, REFUSED)
        if request.reason != MANUAL:
            raise Invalid(REFUSED, [Fault("/reason", f"is not {MANUAL}")])
        return self._store.put(address)

    def delete(self, email: str, query: Mapping[str, str]) -> int:
        """Let an address be sent to again; return how many routes were released.

        With `release=true` those that were skipped for it, and did not expire, are pending again.
        Raises Invalid or NotFound.
        """
        released = self._store.delete(_address(email), release=_release(query))
        if released is None:
            raise NotFound(UNKNOWN)
        return released


def _address(email: str) -> str:
    try:
        return normalised(email)
    except BadAddress as error:
        raise Invalid(REFUSED, [Fault("", f"email: {error}")]) from None


def _release(query: Mapping[str, str]) -> bool:
    faults = [f"{name}: is not a parameter of this call" for name in query if name != "release"]
    release = query.get("release", "false")
    if release not in ("true", "false"):
        faults.append("release: is neither true nor false")
    if faults:
        raise Invalid(REFUSED, [Fault("", fault) for fault in faults])
    return release == "true"
