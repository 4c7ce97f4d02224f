"""A notification: submitted, built, stored."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from dovecote.core.claim import Claim
from dovecote.core.device import UserDevice
from dovecote.core.route import Event, NewRoute, Route

MAX_PAYLOAD_BYTES = 64 * 1024
"""How large a payload may be as it is stored, with a recipient's data merged over it."""


SECRET = 0
"""The `payload_days` of a payload that is removed as soon as no route is live."""

USUAL_DAYS = -1
"""The `payload_days` of a payload that is kept for the days of the setting."""


class Priority(StrEnum):
    """How soon a kind is claimed when there is more work than time."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One addressee of a notification; `data` is merged over the payload for it.

    `addresses` has those of the channels that do not reach a recipient by `user_id`, each by its
    field of the request.
    """

    user_id: str | None = None
    addresses: Mapping[str, str] = {}
    device_session_id: str | None = None
    locale: str | None = None
    data: Mapping[str, Any] | None = None

    def address(self, field: str) -> str | None:
        """Return the address that a field of the request has."""
        return self.user_id if field == "user_id" else self.addresses.get(field)


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed request to notify, not yet held against the catalog.

    `payload_text` is the payload as it is stored: compact JSON with numbers as they were sent.
    `digest` is the SHA-256 of kind, payload, recipients in order and deliver_at as sent. The store
    keeps a fingerprint of it, which confirms no guess of the content.
    """

    kind: str
    idempotency_key: str
    payload: Mapping[str, Any]
    payload_text: str
    recipients: Sequence[Recipient]
    deliver_at: datetime | None
    digest: str
    traceparent: str | None


class NewNotification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification about to be stored with its routes, in one statement.

    `bucket` is that of its kind: see lanes.py. `expires_in` counts in seconds from deliver_at, or
    from now where there is none. `from_inbox` says that a pending submission has its id, which is
    deleted in the same statement. `payload_days` is how many days the payload is kept after the end
    of all routes, or SECRET or USUAL_DAYS.
    """

    notification_id: UUID
    submission: Submission
    routes: Sequence[NewRoute]
    priority: Priority
    max_attempts: int
    expires_in: float
    bucket: int = 0
    from_inbox: bool = False
    payload_days: int = USUAL_DAYS


class ScheduledRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A due route to a user, which is to be expanded to the user's devices.

    `device_session_id` is the device that the recipient named, if any. The notification has so many
    `routes`.
    """

    route_id: UUID
    notification_id: UUID
    channel: str
    user_id: str
    device_session_id: str | None
    routes: int


PlanScheduled = Callable[
    [Sequence[ScheduledRoute], Sequence[UserDevice]], Sequence[tuple[UUID, NewRoute]]
]
"""Plans the routes to these devices; returns each with the scheduled route that it is for.

The first route that takes the place of a scheduled one has its id.
"""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification as it stands in the store, with its routes in the order of submission.

    Without routes it is the reservation of a pending submission in SQL.
    """

    notification_id: UUID
    kind: str
    idempotency_key: str
    fingerprint: bytes
    created_at: datetime
    deliver_at: datetime | None
    routes: Sequence[Route]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A notification, and the events of its routes in order of time, where they are asked for."""

    notification: Notification
    histories: Mapping[UUID, Sequence[Event]]


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """How the routes of a notification answered a cancel."""

    cancelled: int
    in_flight: int
    ended: int


class DevicesFound(Exception):
    """Users have devices, which the routes of a notification do not go to yet."""

    def __init__(self, devices: Sequence[UserDevice]) -> None:
        super().__init__()
        self.devices = devices


class PeopleErased(Exception):
    """Routes of a notification, by their ids, name people who were erased."""

    def __init__(self, route_ids: Collection[UUID]) -> None:
        super().__init__()
        self.route_ids = route_ids


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that has just been stored; `claims` are for the caller to deliver."""

    notification_id: UUID
    kind: str
    created_at: datetime
    routes: Sequence[Route]
    claims: Sequence[Claim]
