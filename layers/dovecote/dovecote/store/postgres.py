"""The store on PostgreSQL: each method runs the statement of its name in sql/."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from dovecote.lanes import ALL, PRIORITIES
from dovecote.model import (
    Cancellation,
    Claim,
    Device,
    Lease,
    NewNotification,
    NewRoute,
    Notification,
    Reason,
    Route,
)
from dovecote.ports import Stored
from dovecote.store.database import Connection, Database
from dovecote.store.statements import statement

Shape = TypeVar("Shape", Claim, Device, Route)

LOCK_TIMEOUT = "2s"
"""How long a statement waits for a lock: a submit for another one of the same key, all for DDL."""

STATEMENT_TIMEOUT = "4s"
"""How long a statement may run: a database that is stuck is a 503 within 5 s."""


class PostgresTransaction:
    """What the finaliser may write; the caller of `transaction` commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def publish(self, token: UUID, message_ids: Mapping[UUID, str]) -> set[UUID]:
        """Make routes published."""
        ids = {str(route_id): message_id for route_id, message_id in message_ids.items()}
        rows = self._rows(
            "publish",
            token=token,
            route_ids=list(message_ids),
            message_ids=msgspec.json.encode(ids).decode(),
        )
        return {row["route_id"] for row in rows}

    def record_acceptances(self, acceptances: Iterable[tuple[str, UUID, str]]) -> None:
        """Put accepted emails on record, in one order so that two workers cannot deadlock."""
        ordered = sorted(acceptances, key=lambda acceptance: acceptance[1])
        self._connection.execute(
            statement("record_acceptances"),
            {
                "template_ids": [template for template, _, _ in ordered],
                "keys": [str(route_id) for _, route_id, _ in ordered],
                "message_ids": [message_id for _, _, message_id in ordered],
            },
        )

    def retry(self, route_id: UUID, token: UUID, delay: float, error: str) -> datetime | None:
        """Make a route due again after `delay` seconds."""
        rows = self._rows("retry", route_id=route_id, token=token, delay=delay, error=error)
        return rows[0]["next_attempt_at"] if rows else None

    def dead_letter(self, route_id: UUID, token: UUID, reason: Reason, error: str | None) -> bool:
        """Make a route a dead letter, with its row."""
        rows = self._rows(
            "dead_letter", route_id=route_id, token=token, reason=str(reason), error=error
        )
        return bool(rows)

    def give_back(self, token: UUID, route_ids: Sequence[UUID], *, lapsed: bool) -> set[UUID]:
        """Give routes back that were not begun."""
        rows = self._rows("give_back", token=token, route_ids=list(route_ids), lapsed=lapsed)
        return {row["route_id"] for row in rows}

    def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        return _rows(self._connection, name, parameters)


class PostgresStore:
    """Notifications, routes and devices in the schema `dovecote`."""

    def __init__(self, database: Database, *, default_max_attempts: int) -> None:
        self._database = database
        self._default_max_attempts = default_max_attempts

    def submit(self, notification: NewNotification, lease: Lease) -> Stored | None:
        """Store a notification with its routes in one statement; None where its key is taken."""
        with self._bounded() as connection:
            rows = _rows(connection, "submit", self._submission(notification, lease))
            tried = _loaded(connection, [row for row in rows if row["claimed"]], lease.token)
        if not rows:
            return None
        rows.sort(key=lambda row: row["position"])
        return Stored(
            notification_id=notification.notification_id,
            created_at=rows[0]["created_at"],
            routes=[_picked(Route, row) for row in rows],
            claims=tried,
        )

    def find(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds this key within its kind."""
        with self._bounded() as connection:
            rows = _rows(connection, "find", {"kind": kind, "idempotency_key": idempotency_key})
        return self.notification(rows[0]["notification_id"]) if rows else None

    def notification(self, notification_id: UUID) -> Notification | None:
        """Return a notification with its routes."""
        with self._bounded() as connection:
            parameters = {"notification_id": notification_id}
            rows = _rows(connection, "notification", parameters)
            routes = [_picked(Route, row) for row in _rows(connection, "routes", parameters)]
        return Notification(**rows[0], routes=routes) if rows else None

    def claim(self, lanes: Mapping[int, int], lease: Lease) -> list[Claim]:
        """Claim due routes, at most so many of each lane."""
        return self._claim("claim", lease, lanes=list(lanes), limits=list(lanes.values()))

    def claim_lapsed(self, lease: Lease) -> Claim | None:
        """Claim one route whose lease ran out."""
        claims = self._claim("claim_lapsed", lease, lanes=[lane.number for lane in ALL])
        return claims[0] if claims else None

    def accepted(self, routes: Sequence[tuple[str, UUID]]) -> dict[UUID, str]:
        """Return the message ids of those emails (template, route) that are on record."""
        parameters = {
            "template_ids": [template for template, _ in routes],
            "keys": [str(route_id) for _, route_id in routes],
        }
        with self._bounded() as connection:
            rows = _rows(connection, "accepted", parameters)
        return {UUID(row["idempotency_key"]): row["message_id"] for row in rows}

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Open a transaction; it commits when the context ends well."""
        with self._bounded() as connection:
            yield PostgresTransaction(connection)

    def cancel(self, notification_id: UUID) -> Cancellation | None:
        """Cancel what is still to be sent; None where there is no such notification."""
        with self._bounded() as connection:
            parameters = {"notification_id": notification_id}
            cancelled = len(_rows(connection, "cancel", parameters))
            routes = _rows(connection, "routes", parameters)
        in_flight = sum(row["next_attempt_at"] is not None for row in routes)
        if not routes:
            return None
        return Cancellation(
            cancelled=cancelled, in_flight=in_flight, ended=len(routes) - cancelled - in_flight
        )

    def devices(self, user_ids: Sequence[str]) -> list[Device]:
        """Return the devices of these users, the oldest first."""
        with self._bounded() as connection:
            rows = _rows(connection, "devices", {"user_ids": list(user_ids)})
        return [_picked(Device, row) for row in rows]

    def put_device(self, device: Device) -> None:
        """Register a device, or give it its new token and endpoint."""
        parameters = {name: getattr(device, name) for name in Device.__dataclass_fields__}
        with self._bounded() as connection:
            connection.execute(statement("release_endpoint"), parameters)
            connection.execute(statement("put_device"), parameters)

    def delete_device(self, user_id: str, device_session_id: str) -> None:
        """Forget a device."""
        parameters = {"user_id": user_id, "device_session_id": device_session_id}
        with self._bounded() as connection:
            connection.execute(statement("delete_device"), parameters)

    @contextmanager
    def _bounded(self) -> Iterator[Connection]:
        """Open a transaction in which no statement waits or runs for longer than it may."""
        with self._database.connection() as connection, connection.transaction():
            connection.execute(
                statement("bound_waits"),
                {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT},
            )
            yield connection

    def _claim(self, name: str, lease: Lease, **parameters: object) -> list[Claim]:
        parameters |= {
            "token": lease.token,
            "lease": lease.seconds,
            "default_max_attempts": self._default_max_attempts,
        }
        with self._bounded() as connection:
            return _loaded(connection, _rows(connection, name, parameters), lease.token)

    def _submission(self, notification: NewNotification, lease: Lease) -> dict[str, object]:
        submission = notification.submission
        return {
            "notification_id": notification.notification_id,
            "kind": submission.kind,
            "idempotency_key": submission.idempotency_key,
            "fingerprint": submission.fingerprint,
            "payload": submission.payload_text,
            "traceparent": submission.traceparent,
            "deliver_at": submission.deliver_at,
            "priority": PRIORITIES[notification.priority],
            "max_attempts": notification.max_attempts,
            "default_max_attempts": self._default_max_attempts,
            "expires_in": notification.expires_in,
            "token": lease.token,
            "lease": lease.seconds,
            "routes": _routes_json(notification.routes),
        }


def _rows(
    connection: Connection, name: str, parameters: Mapping[str, object]
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement(name), parameters).fetchall()


def _loaded(connection: Connection, claimed: list[dict[str, Any]], token: UUID) -> list[Claim]:
    """Add to claimed rows what their notifications and devices say."""
    if not claimed:
        return []
    columns = ("route_id", "notification_id", "user_id", "device_session_id")
    told = _rows(connection, "load", {f"{c}s": [row[c] for row in claimed] for c in columns})
    by_route = {row["route_id"]: row for row in told}
    return [_picked(Claim, row | by_route[row["route_id"]] | {"token": token}) for row in claimed]


def _picked(shape: type[Shape], row: Mapping[str, Any]) -> Shape:
    """Build a dataclass from the columns that it names."""
    return shape(**{name: row[name] for name in shape.__dataclass_fields__})


def _routes_json(routes: Sequence[NewRoute]) -> str:
    rows = [
        {
            "route_id": route.route_id,
            "position": position,
            "channel": route.channel,
            "target": route.target,
            "user_id": route.user_id,
            "device_session_id": route.device_session_id,
            "resolved_email": route.resolved_email,
            "locale": route.locale,
            "data": route.data,
            "skip": route.skip,
            "claimed": route.claimed,
        }
        for position, route in enumerate(routes)
    ]
    return msgspec.json.encode(rows).decode()
