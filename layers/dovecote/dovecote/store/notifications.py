"""What PostgreSQL tells of notifications: the history of one, and those of one person."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import dict_row

from dovecote.core.notification import Notification, Story
from dovecote.core.route import EmailRecord, Event, Route
from dovecote.store.database import Database, Opened
from dovecote.store.rows import rows
from dovecote.store.statements import statement

Row = Mapping[str, Any]
Shape = TypeVar("Shape", bound=msgspec.Struct)

PARTS = ("notification", "routes", "story", "deliveries")
"""The statements of a story, which are sent together."""


class PostgresStories:
    """Notifications as people ask for them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def story(self, notification_id: UUID) -> Story | None:
        """Return a notification with its routes and all that is told of them, in one round trip."""
        parameters = {"notification_id": notification_id}

        def work(connection: Opened) -> list[list[dict[str, Any]]]:
            with connection.pipeline():
                parts = [_asked(connection, name, parameters) for name in PARTS]
            return [part.fetchall() for part in parts]

        found, routes, events, deliveries = self._database.ask(work)
        if not found:
            return None
        records = {row.pop("route_id"): EmailRecord(**row) for row in deliveries}
        told = [{**route, "delivery": records.get(route["route_id"])} for route in routes]
        return Story(
            notification=_notification(found[0], told), histories=_histories(routes, events)
        )

    def of_user(self, user_id: str, after: UUID | None, limit: int) -> list[Notification]:
        """Return those of a user from a place on, the newest first, with the user's routes."""
        return self._found("find_by_user", user_id=user_id, after=after, limit=limit)

    def of_email(self, email: str, after: UUID | None, limit: int) -> list[Notification]:
        """Return those of an address from a place on, the newest first, with its routes."""
        return self._found("find_by_email", email=email, after=after, limit=limit)

    def _found(self, name: str, **parameters: object) -> list[Notification]:
        found = self._database.ask(lambda connection: rows(connection, name, parameters))
        grouped = groupby(found, key=lambda row: row["notification_id"])
        routes = [list(group) for _, group in grouped]
        return [_notification(group[0], group) for group in routes]


def _asked(connection: Opened, name: str, parameters: Row) -> psycopg.Cursor[dict[str, Any]]:
    return connection.cursor(row_factory=dict_row).execute(statement(name), parameters)


def _notification(row: Row, routes: Iterable[Row]) -> Notification:
    told = [_picked(Route, route) for route in routes]
    return _picked(Notification, {**row, "routes": told})


def _histories(routes: Iterable[Row], events: Iterable[Row]) -> dict[UUID, Sequence[Event]]:
    histories: dict[UUID, list[Event]] = {route["route_id"]: [] for route in routes}
    for event in events:
        histories.setdefault(event["route_id"], []).append(_picked(Event, event))
    return dict(histories)


def _picked(shape: type[Shape], row: Row) -> Shape:
    """Build a struct from the columns that it names."""
    return shape(**{name: row[name] for name in shape.__struct_fields__ if name in row})
