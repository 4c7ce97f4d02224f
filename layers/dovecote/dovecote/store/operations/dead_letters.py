"""Dead letters and the record of redrives."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import asdict, replace

from dovecote.core import transitions
from dovecote.core.dead_letter import Filter, OpenDeadLetter, RecordedRedrive, Redrive
from dovecote.core.route import Reason
from dovecote.core.transitions import Recorded, Refusal
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute, in_transaction, rows

Refusals = dict[UUID, Refusal | None]


class PostgresDeadLetters(Queries):
    """Dead letters, and who redrove them."""

    def page(
        self, filter_: Filter, after: tuple[datetime, int] | None, limit: int
    ) -> list[OpenDeadLetter]:
        """Return open dead letters after a place, the newest first."""
        place_at, place = after or (None, None)
        return self._all(
            OpenDeadLetter,
            "operations/dead_letters",
            **_parameters(filter_),
            place_at=place_at,
            place=place,
            limit=limit,
        )

    def count(self, filter_: Filter, most: int) -> int:
        """Return how many are open, counted up to `most`."""
        (row,) = self._rows("operations/count_dead_letters", **_parameters(filter_), most=most)
        return int(row["matched"])

    def record(self, redrive: Redrive) -> None:
        """Put a redrive on record."""
        self.database.ask(lambda connection: _record(connection, redrive))

    @in_transaction
    def redrive(
        self, connection: Opened, redrive: Redrive, route_id: UUID
    ) -> UUID | Refusal | None:
        """Redrive one dead letter, on record; return its notification, or the refusal.

        Return None if there is no such route.
        """
        if not rows(connection, "operations/lock_routes", {"route_ids": [route_id]}):
            return None
        refusal = _refusals(connection, redrive, [route_id], wait=0)[route_id]
        if refusal is Refusal.NO_DEAD_LETTER:
            return _redriven_by(connection, redrive, [route_id]).get(route_id, refusal)
        if refusal is not None:
            return refusal
        _record(connection, replace(redrive, redriven=1))
        (notification_id,) = _redrive(connection, redrive, [route_id], wait=0)
        return notification_id

    @in_transaction
    def redrive_all(
        self, connection: Opened, redrive: Redrive, route_ids: Sequence[UUID], *, wait: float
    ) -> Redrive:
        """Redrive dead letters in one transaction, the first of them due after `wait` seconds.

        Return the redrive with its counts so far. A route that another call redrove or settled
        meanwhile is not counted.
        """
        rows(connection, "operations/lock_routes", {"route_ids": route_ids})
        last = wait + len(route_ids) * redrive.spacing
        refusals = _refusals(connection, redrive, route_ids, wait=last)
        free = [route for route, refusal in refusals.items() if refusal is None]
        gone = [route for route, refusal in refusals.items() if refusal is Refusal.NO_DEAD_LETTER]
        ours = _redriven_by(connection, redrive, gone) if gone else {}
        done = replace(
            redrive,
            redriven=redrive.redriven + len(free) + len(ours),
            refused=redrive.refused + len(refusals) - len(free) - len(gone),
        )
        _record(connection, done)
        if free:
            _redrive(connection, redrive, free, wait=wait)
        return done

    def redrives(self, after: UUID | None, limit: int) -> list[RecordedRedrive]:
        """Return redrives after a place, the newest first."""
        return self._all(RecordedRedrive, "operations/redrives", after=after, limit=limit)


def _parameters(filter_: Filter) -> dict[str, object]:
    """Return the parameters of a search, which reads the dead letters of each reason."""
    return {**asdict(filter_), "reasons": [filter_.reason] if filter_.reason else list(Reason)}


def _record(connection: Opened, redrive: Redrive) -> None:
    parameters = {**asdict(redrive), "filter": msgspec.json.encode(redrive.filter).decode()}
    execute(connection, "operations/record_redrive", parameters)


def _refusals(
    connection: Opened, redrive: Redrive, route_ids: Sequence[UUID], *, wait: float
) -> Refusals:
    """Return the refusal of each locked route, or None."""
    found = rows(
        connection,
        "operations/recorded_routes",
        {"route_ids": route_ids, "expires_at": redrive.expires_at, "wait": wait},
    )
    return {row.pop("route_id"): transitions.redriven(Recorded(**row)) for row in found}


def _redriven_by(
    connection: Opened, redrive: Redrive, route_ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """Return the routes that this redrive has redriven, with their notifications."""
    parameters = {"redrive_id": redrive.redrive_id, "route_ids": route_ids}
    found = rows(connection, "operations/redriven_by", parameters)
    return {row["route_id"]: row["notification_id"] for row in found}


def _redrive(
    connection: Opened, redrive: Redrive, route_ids: Sequence[UUID], *, wait: float
) -> list[UUID]:
    found = rows(
        connection,
        "operations/redrive",
        {
            "route_ids": route_ids,
            "redrive_id": redrive.redrive_id,
            "expires_at": redrive.expires_at,
            "wait": wait,
            "spacing": redrive.spacing,
        },
    )
    return [row["notification_id"] for row in found]
