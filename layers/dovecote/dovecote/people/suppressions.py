"""Suppress addresses and let them go: what bounced, complained, or is an operator's to say."""

from datetime import datetime
from typing import Protocol

import msgspec

from dovecote.core import bodies, queries
from dovecote.core.addresses import BadAddress, normalised
from dovecote.core.problems import Fault, Invalid, NotFound


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """An address that nothing is sent to, since when, and why."""

    email: str
    reason: str
    created_at: datetime


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
    """The body of a suppression."""

    email: str
    reason: str = MANUAL


class KeepSuppressions:
    """Use cases of suppressed addresses; the case of their letters is nobody's concern."""

    def __init__(self, *, store: Suppressions) -> None:
        self._store = store

    def get(self, query: str) -> Suppression:
        """Return the suppression of an address; raise Malformed, Invalid or NotFound."""
        given = queries.read(query, {"email": queries.email}, REFUSED, required=("email",))
        suppression = self._store.find(given["email"])
        if suppression is None:
            raise NotFound(UNKNOWN)
        return suppression

    def put(self, body: bytes) -> Suppression:
        """Suppress an address; one that is suppressed keeps its reason.

        Raises Malformed, TooLarge and Invalid.
        """
        request = bodies.read(body, SuppressionRequest, REFUSED)
        if request.reason != MANUAL:
            raise Invalid(REFUSED, [Fault("/reason", f"is not {MANUAL}")])
        try:
            address = normalised(request.email)
        except BadAddress as error:
            raise Invalid(REFUSED, [Fault("/email", str(error))]) from None
        return self._store.put(address)

    def delete(self, query: str) -> int:
        """Let an address be sent to again; return how many routes were released.

        With `release=true` those that were skipped for it, and did not expire, are pending again.
        Raises Malformed, Invalid or NotFound.
        """
        readers = {"email": queries.email, "release": queries.flag}
        given = queries.read(query, readers, REFUSED, required=("email",))
        released = self._store.delete(given["email"], release=given.get("release", False))
        if released is None:
            raise NotFound(UNKNOWN)
        return released
