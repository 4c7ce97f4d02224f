"""Dead letters, the filters that select them, and redrives."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from dovecote.core.route import Reason


class OpenDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that was not redriven, and that no event has settled."""

    dead_letter_id: int
    route_id: UUID
    notification_id: UUID
    kind: str
    channel: str
    reason: str
    error: str | None
    attempts: int
    dead_lettered_at: datetime


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which open dead letters are meant: all for which each of these that is given is so.

    `since` is within the span of time, `until` is not.
    """

    kind: str | None = None
    channel: str | None = None
    reason: Reason | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = msgspec.field(
        default=None, name="to"
    )


class Redrive(msgspec.Struct, frozen=True, kw_only=True):
    """A redrive on record: who asked for it, for what, and what came of it so far.

    `filter` is as it was asked for. `most` bounds how many are redriven, `per_second` how fast they
    are due. `matched` counts the dead letters that it was about, before it began.
    """

    redrive_id: UUID
    who: str
    filter: Mapping[str, Any]
    per_second: float | None = None
    most: int = 1
    expires_at: datetime | None = None
    matched: int = 1
    redriven: int = 0
    refused: int = 0

    @property
    def spacing(self) -> float:
        """Return the seconds from one that is due to the next."""
        return 1 / self.per_second if self.per_second else 0.0


class RecordedRedrive(Redrive, frozen=True, kw_only=True):
    """A redrive as it was found on record, with when it was asked for."""

    at: datetime
