"""Find, read and cancel notifications."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from dovecote.core.notification import Cancellation, Notification, Story
from dovecote.core.route import EmailRecord, Event, Route, Status
from dovecote.store.database import Database, Opened
from dovecote.store.person_hash import PersonHash
from dovecote.store.queries import cursor, execute, in_transaction, rows
from dovecote.store.submit.notifications import PostgresNotifications

Row = Mapping[str, Any]
Shape = TypeVar("Shape", bound=msgspec.Struct)

PARTS = ("submit/notification", "submit/routes", "operations/story", "operations/deliveries")
"""The statements of a story, in one round trip."""


class PostgresStories(PostgresNotifications):
    """Notifications by id, key or person, with their histories."""

    def __init__(self, database: Database, hashes: PersonHash) -> None:
        super().__init__(database)
        self._hashes = hashes

    def story(self, notification_id: UUID) -> Story | None:
        """Return a notification with its routes and their histories, in one round trip.

        Return None if it has no routes.
        """
        parameters = {"notification_id": notification_id}

        def work(connection: Opened) -> list[list[dict[str, Any]]]:
            with connection.pipeline():
                parts = [cursor(connection, name, parameters, dict_row) for name in PARTS]
            return [part.fetchall() for part in parts]

        found, routes, events, deliveries = self.database.ask(work)
        if not found or not routes:
            return None
        records = {row.pop("route_id"): EmailRecord(**row) for row in deliveries}
        recorded = [{**route, "delivery": records.get(route["route_id"])} for route in routes]
        return Story(
            notification=_notification(found[0], recorded), histories=_histories(routes, events)
        )

    def of_user(self, user_id: str, after: UUID | None, limit: int) -> list[Notification]:
        """Return a user's notifications after a place, the newest first, with the user's routes."""
        return self._found("operations/find_by_user", user_id=user_id, after=after, limit=limit)

    def of_email(self, email: str, after: UUID | None, limit: int) -> list[Notification]:
        """Return an address's notifications after a place, the newest first, with its routes."""
        address_hash = self._hashes.address(email)
        return self._found(
            "operations/find_by_email", address_hash=address_hash, after=after, limit=limit
        )

    @in_transaction
    def cancel(self, connection: Opened, notification_id: UUID) -> Cancellation | None:
        """Cancel the routes that are still to be sent; return None if there are no routes.

        Routes that an earlier call cancelled count again: its answer may have been lost.
        """
        parameters = {"notification_id": notification_id}
        execute(connection, "operations/cancel", parameters)
        routes = rows(connection, "submit/routes", parameters)
        return _cancellation(routes) if routes else None

    def _found(self, name: str, **parameters: object) -> list[Notification]:
        grouped = groupby(self._rows(name, **parameters), key=lambda row: row["notification_id"])
        routes = [list(group) for _, group in grouped]
        return [_notification(group[0], group) for group in routes]


def _cancellation(routes: Sequence[Row]) -> Cancellation:
    cancelled = sum(row["status"] == Status.CANCELLED for row in routes)
    in_flight = sum(row["next_attempt_at"] is not None for row in routes)
    return Cancellation(
        cancelled=cancelled, in_flight=in_flight, ended=len(routes) - cancelled - in_flight
    )


def _notification(row: Row, routes: Iterable[Row]) -> Notification:
    return _picked(Notification, {**row, "routes": [_picked(Route, route) for route in routes]})


def _histories(routes: Iterable[Row], events: Iterable[Row]) -> dict[UUID, Sequence[Event]]:
    histories: dict[UUID, list[Event]] = {route["route_id"]: [] for route in routes}
    for event in events:
        histories.setdefault(event["route_id"], []).append(_picked(Event, event))
    return dict(histories)


def _picked(shape: type[Shape], row: Row) -> Shape:
    """Build a struct from the columns that have the names of its fields."""
    return shape(**{name: row[name] for name in shape.__struct_fields__ if name in row})
