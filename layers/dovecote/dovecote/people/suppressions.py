"""Suppress and unsuppress addresses, and let erased users be stored again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from dovecote.core.parsing import bodies, queries
from dovecote.core.parsing.addresses import BadAddress, normalised
from dovecote.core.parsing.queries import Reader
from dovecote.core.problems import Fault, Invalid, NotFound


class Suppression(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An address to which nothing is sent, or an erased user, with the reason and the time."""

    email: str | None = None
    user_id: str | None = None
    reason: str
    created_at: datetime


PERSON: Mapping[str, Reader] = {"email": queries.email, "user_id": queries.identifier}
"""The parameters that name a person."""

UNKNOWN = "The address or user is not suppressed."
REFUSED = "The request is invalid."

MANUAL = "manual"
"""The reason of a suppression by an operator."""


class Suppressions(Protocol):
    """Addresses to which nothing is sent, and erased users. Every call may raise StoreError."""

    def find(self, field: str, value: str) -> Suppression | None:
        """Return the suppression of an `email` or a `user_id`."""

    def put(self, email: str) -> Suppression:
        """Suppress an address; one that is already suppressed keeps its reason."""

    def delete(self, field: str, value: str) -> bool:
        """Unsuppress an `email` or a `user_id`; return False if it was not suppressed."""

    def release(self, email: str) -> int:
        """Make the routes pending that were skipped for an address; return how many."""


class SuppressionRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a suppression."""

    email: str
    reason: str = MANUAL


class KeepSuppressions(msgspec.Struct, kw_only=True):
    """Use cases of suppressions; upper and lower case of an address are the same."""

    store: Suppressions

    def get(self, query: str) -> Suppression:
        """Return the suppression of an address or user; raise Malformed, Invalid or NotFound."""
        suppression = self.store.find(*_person(queries.read(query, PERSON, REFUSED)))
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
        """Unsuppress an address or user; return how many routes were released.

        With `release=true`, unexpired routes that were skipped for it are pending again. A repeated
        call releases what a failed one left. Raises Malformed, Invalid or NotFound.
        """
        given = queries.read(query, {**PERSON, "release": queries.flag}, REFUSED)
        field, value = _person(given)
        if field == "user_id" and "release" in given:
            raise Invalid(REFUSED, [Fault("", "release: is only for an email")])
        deleted = self.store.delete(field, value)
        released = self.store.release(value) if given.get("release", False) else 0
        if not (deleted or released):
            raise NotFound(UNKNOWN)
        return released


def _person(given: Mapping[str, Any]) -> tuple[str, str]:
    """Return the one parameter that names a person, and its value; raise Invalid."""
    named = [(name, given[name]) for name in PERSON if name in given]
    if len(named) != 1:
        raise Invalid(REFUSED, [Fault("", "must have either email or user_id")])
    return named[0]
