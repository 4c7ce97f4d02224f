"""What the demo reads of the database, and the database of its own."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.rows import class_row

ROUTES = """
select route.route_id::text, route.notification_id::text, notification.kind, route.channel,
       route.target, route.user_id, route.device_session_id, route.resolved_email, route.status,
       route.attempts, route.provider_message_id, route.last_error, letter.reason,
       letter.dead_lettered_at
from dovecote.notification_routes as route
join dovecote.notifications as notification using (notification_id)
left join dovecote.notification_dead_letters as letter
  on letter.route_id = route.route_id and letter.closed_at is null
order by notification.created_at, route.position
"""
LIVE = ("pending", "retrying")


@dataclass(frozen=True, kw_only=True)
class Route:
    """One row of notification_routes, with what its notification and its dead letter say."""

    route_id: str
    notification_id: str
    kind: str
    channel: str
    target: str
    user_id: str | None
    device_session_id: str | None
    resolved_email: str | None
    status: str
    attempts: int
    provider_message_id: str | None
    last_error: str | None
    reason: str | None
    dead_lettered_at: datetime | None

    @property
    def to(self) -> str:
        """Return where the route goes, in words."""
        if self.resolved_email is not None:
            return self.resolved_email
        device = self.device_session_id or "no device"
        return f"{self.user_id}, {'topic' if self.target == 'topic' else device}"


async def ended_routes(url: str, *, within: float) -> list[Route]:
    """Return all routes as soon as none is live, or as they stand when the time is up."""
    deadline = time.monotonic() + within
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = connection.cursor(row_factory=class_row(Route))
        while True:
            routes = await (await cursor.execute(ROUTES)).fetchall()
            ended = not any(route.status in LIVE for route in routes)
            if ended or time.monotonic() > deadline:
                return routes
            await asyncio.sleep(0.2)


@contextmanager
def of_its_own(url: str) -> Iterator[str]:
    """Create a database beside that of a URL, and drop it afterwards."""
    name = f"dovecote_demo_{uuid.uuid4().hex[:8]}"
    create = sql.SQL("create database {}").format(sql.Identifier(name))
    drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(create)
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(drop)
