"""A route: one recipient by one channel, and its life."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Target(StrEnum):
    """What a route delivers to: an email address, one device, or the push topic.

    USER is a scheduled route until it is due: then it is expanded to the devices of its user.
    """

    ADDRESS = "address"
    DEVICE = "device"
    TOPIC = "topic"
    USER = "user"


class Status(StrEnum):
    """Where a route is in its life; only pending and retrying ones are live."""

    PENDING = "pending"
    RETRYING = "retrying"
    PUBLISHED = "published"
    DEAD_LETTERED = "dead_lettered"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a route became a dead letter."""

    ATTEMPTS = "attempts"
    EXPIRED = "expired"
    PERMANENT = "permanent"
    AMBIGUOUS = "ambiguous"


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a route that never changes: its channel and whom it is for."""

    route_id: UUID
    channel: str
    user_id: str | None
    device_session_id: str | None
    address: str | None

    @property
    def names_person(self) -> bool:
        """Return whether a route names a user or an address."""
        return self.user_id is not None or self.address is not None


class NewRoute(Addressed, frozen=True, kw_only=True):
    """A route about to be stored; `skip` is the reason why it will never be tried.

    `endpoint` is that of the device, as a `Claim` has it.
    """

    target: Target
    locale: str | None
    data: str | None
    skip: str | None = None
    claimed: bool = False
    endpoint: str | None = None


class EmailRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of an email that was accepted, by the provider's clock after that."""

    accepted_at: datetime
    message_id: str
    delivered_at: datetime | None
    bounced_at: datetime | None
    bounce_type: str | None
    complained_at: datetime | None
    delayed_at: datetime | None


class Route(Addressed, frozen=True, kw_only=True):
    """A route as it stands in the store; `delivery` is there where it was asked for.

    It waits for the resource `waiting_for` to accept sends, and has been due since `waiting_since`.
    """

    status: Status
    attempts: int
    max_attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_error: str | None
    expires_at: datetime
    published_at: datetime | None
    provider_message_id: str | None
    waiting_for: str | None = None
    waiting_since: datetime | None = None
    delivery: EmailRecord | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a route; `claim` is 0 where it is about none."""

    at: datetime
    event: str
    attempt: int | None
    claim: int
    reason: str | None
    detail: str | None
    message_id: str | None
