"""Suppress and unsuppress addresses: after a bounce, a complaint, or by an operator."""

from datetime import datetime
from typing import Protocol

import msgspec

from dovecote.core.parsing import bodies, queries
from dovecote.core.parsing.addresses import BadAddress, normalised
from dovecote.core.problems import Fault, Invalid, NotFound


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """An address to which nothing is sent, with the reason and the time."""

    email: str
    reason: str
    created_at: datetime


UNKNOWN = "The address is not suppressed."
REFUSED = "The request is invalid."

MANUAL = "manual"
"""The reason of a suppression by an operator."""


class Suppressions(Protocol):
    """Addresses to which nothing is sent. Every call may raise StoreError."""

    def find(self, email: str) -> Suppression | None:
        """Return the suppression of an address."""

    def put(self, email: str) -> Suppression:
        """Suppress an address; one that is already suppressed keeps its reason."""

    def delete(self, email: str) -> bool:
        """Unsuppress an address; return False if it was not suppressed."""

    def release(self, email: str) -> int:
        """Make the routes pending that were skipped for an address; return how many."""


class SuppressionRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a suppression."""

    email: str
    reason: str = MANUAL


class KeepSuppressions(msgspec.Struct, kw_only=True):
    """Use cases of suppressed addresses; upper and lower case are the same."""

    store: Suppressions

    def get(self, query: str) -> Suppression:
        """Return the suppression of an address; raise Malformed, Invalid or NotFound."""
        given = queries.read(query, {"email": queries.email}, REFUSED, required=("email",))
        suppression = self.store.find(given["email"])
        if suppression is None:
            raise NotFound(UNKNOWN)
        return suppression

    def put(self, body: bytes) -> Suppression:
        """Suppress an address; an already suppressed one keeps its reason.

        Raises Malformed, TooLarge and Invalid.
        """
        request = bodies.read(body, SuppressionRequest, REFUSED)
        if request.reason != MANUAL:
            raise Invalid(REFUSED, [Fault("/reason", f"must be {MANUAL}")])
        try:
            address = normalised(request.email)
        except BadAddress as error:
            raise Invalid(REFUSED, [Fault("/email", str(error))]) from None
        return self.store.put(address)

    def delete(self, query: str) -> int:
        """Unsuppress an address; return how many routes were released.

        With `release=true`, unexpired routes that were skipped for it are pending again. A repeated
        call releases what a failed one left. Raises Malformed, Invalid or NotFound.
        """
        readers = {"email": queries.email, "release": queries.flag}
        given = queries.read(query, readers, REFUSED, required=("email",))
        deleted = self.store.delete(given["email"])
        released = self.store.release(given["email"]) if given.get("release", False) else 0
        if not (deleted or released):
            raise NotFound(UNKNOWN)
        return released
