"""The inbox: submissions in SQL, pending until they are expanded into notifications, or refused."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

Expand = Callable[[Mapping[str, str]], bool]
"""Expands pending submissions: that with a `notification_id`, or those that may concern a `user_id`
or an `address`. Returns whether some may remain. Raises Unavailable."""


class PendingSubmission(msgspec.Struct, frozen=True, kw_only=True):
    """A submission as SQL checked it: `payload` and `recipients` are JSON text.

    `attempts` includes this one where the submission was claimed. `holder` is the notification that
    holds the key: a reservation with the id of the submission, or a notification that was stored
    before the submission.
    """

    notification_id: UUID
    kind: str
    idempotency_key: str
    payload: str
    recipients: str
    deliver_at: datetime | None
    traceparent: str | None
    attempts: int
    holder: UUID | None


class InboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A submission without its content; `problem` is why it was refused, None if it is pending."""

    notification_id: UUID
    kind: str
    idempotency_key: str
    created_at: datetime
    refused_at: datetime | None
    problem: Mapping[str, Any] | None


class InboxGauges(msgspec.Struct, frozen=True, kw_only=True):
    """What alarms watch of the inbox.

    `expansion_lag_seconds` is how long the oldest due submission has waited, 0 without one.
    `refused_hour` counts the refused submissions of the last hour, up to 10,000.
    """

    expansion_lag_seconds: float
    refused_hour: int
