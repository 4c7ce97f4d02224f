"""Expand scheduled routes to the devices that their users have when the routes are due."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from psycopg.rows import class_row

from dovecote.channels import lanes
from dovecote.core.device import UserDevice
from dovecote.core.notification import PlanScheduled, ScheduledRoute
from dovecote.core.route import NewRoute
from dovecote.store.database import Database, Opened
from dovecote.store.person_hash import PersonHash
from dovecote.store.queries import Queries, cursor, in_transaction, rows

LANES = [lane.number for lane in lanes.SCHEDULED]


class PostgresScheduledRoutes(Queries):
    """Scheduled routes to users."""

    def __init__(self, database: Database, hashes: PersonHash) -> None:
        super().__init__(database)
        self._hashes = hashes

    @in_transaction
    def expand(self, connection: Opened, plan: PlanScheduled, most: int) -> tuple[int, set[str]]:
        """Expand due routes, up to `most` of each lane, in one transaction.

        `plan` returns the routes that take the place of each one. Routes of people who were erased
        are erased instead. Return how many were expanded, and the channels of the routes that are
        due now.
        """
        locked = cursor(
            connection,
            "submit/lock_scheduled",
            {"lanes": LANES, "most": most},
            class_row(ScheduledRoute),
        )
        if not (due := locked.fetchall()):
            return 0, set()
        users = {"user_ids": sorted({route.user_id for route in due})}
        devices = cursor(connection, "submit/devices", users, class_row(UserDevice)).fetchall()
        expanded = {"expanded": self._json(plan(due, devices))}
        return len(due), {row["channel"] for row in rows(connection, "submit/expand", expanded)}

    def _json(self, planned: Sequence[tuple[UUID, NewRoute]]) -> str:
        found = [
            {
                "scheduled": scheduled,
                "route_id": route.route_id,
                "target": route.target,
                "person_hash": rf"\x{self._hashes.user(route.user_id or '').hex()}",
                "device_session_id": route.device_session_id,
                "skip": route.skip,
            }
            for scheduled, route in planned
        ]
        return msgspec.json.encode(found).decode()
