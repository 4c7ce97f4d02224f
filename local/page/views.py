"""What the page shows, as JSON; a message's HTML as itself."""

import dataclasses
import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
from aiohttp import web

from dovecote import channels
from local.page import messages
from local.page.agreement import agreement
from local.page.breaks import Breaks
from local.page.database import Database
from local.page.notes import Notes
from local.page.scene import Scene
from local.page.story import story
from local.provider import Acceptance
from local.provider.ledger import Email
from operate.console.guard import EMAIL_POLICY, refused

NOTIFICATIONS = 40
MESSAGES = 100
ATTEMPTS = 200


class Views:
    """The requests that change nothing."""

    def __init__(self, scene: Scene, database: Database, notes: Notes, breaks: Breaks) -> None:
        self._scene = scene
        self._database = database
        self._notes = notes
        self._breaks = breaks

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve them."""
        router.add_get("/_local/state", self.state)
        router.add_get("/_local/notifications/{id}", self.notification)
        router.add_get("/_local/messages/{id}", self.message)
        router.add_get("/_local/messages/{id}/html", self.html)

    async def state(self, request: web.Request) -> web.Response:
        """Return how all stands; 304 where it still stands as the caller knows."""
        ledger = self._scene.provider.ledger
        document: dict[str, Any] = {
            "channels": channels.NAMES,
            "breaks": self._breaks.state(),
            "orders": sum(not one.over for one in self._scene.provider.orders),
            "attempts": [
                dataclasses.asdict(one)
                | {"channel": one.channel, "at": datetime.fromtimestamp(one.time, UTC)}
                for one in ledger.attempts[: -ATTEMPTS - 1 : -1]
            ],
            "received": len(ledger.attempts),
            "database": True,
        }
        try:
            document |= await self._of_database()
        except psycopg.Error:
            document["database"] = False
        return _unless_known(request, document)

    async def _of_database(self) -> dict[str, Any]:
        ledger = self._scene.provider.ledger
        accepted_before = list(ledger.accepted)
        newest, routes, ends, letters, pauses = await self._database.ask(
            ("newest", {"limit": NOTIFICATIONS}),
            ("newest_routes", {"limit": NOTIFICATIONS}),
            ("ends", {}),
            ("dead_letters", {"limit": MESSAGES}),
            ("pauses", {}),
        )
        of_route = {row["route_id"]: row["notification_id"] for row in ends}
        return {
            "notifications": [
                {**one, "routes": [r for r in routes if r["notification_id"] == id_]}
                for one in newest
                for id_ in [one["notification_id"]]
            ],
            "messages": messages.summaries(ledger.accepted[: -MESSAGES - 1 : -1], of_route),
            "dead_letters": letters,
            "pauses": pauses,
            "agreement": agreement(ends, accepted_before, list(ledger.accepted)),
        }

    async def notification(self, request: web.Request) -> web.Response:
        """Return a notification with the story of each of its routes."""
        known = {"id": request.match_info["id"]}
        try:
            uuid.UUID(known["id"])
            found, routes = await self._database.ask(("notification", known), ("routes", known))
        except ValueError:
            return refused(404, "This is no notification's id.")
        except psycopg.Error:
            return refused(503, "PostgreSQL is out of reach.")
        if not found:
            return refused(404, "There is no such notification.")
        told = [{**route, "story": self._story(route)} for route in routes]
        return _unless_known(request, {**found[0], "routes": told})

    def _story(self, route: dict[str, Any]) -> list[dict[str, Any]]:
        route_id = route["route_id"]
        attempts = [one for one in self._scene.provider.ledger.attempts if one.route_id == route_id]
        return story(route, attempts, self._notes.of(route_id))

    async def message(self, request: web.Request) -> web.Response:
        """Return an accepted message."""
        row = self._accepted(request)
        if row is None:
            return refused(404, "The provider accepted no such message.")
        (summary,) = messages.summaries([row], {})
        return _json({**summary, **messages.detail(row)})

    async def html(self, request: web.Request) -> web.Response:
        """Return an email's HTML, which may do nothing but be seen."""
        row = self._accepted(request)
        if row is None or not isinstance(row.content, Email):
            return refused(404, "The provider accepted no such email.")
        headers = {"Content-Security-Policy": EMAIL_POLICY}
        return web.Response(text=row.content.html, content_type="text/html", headers=headers)

    def _accepted(self, request: web.Request) -> Acceptance | None:
        wanted = request.match_info["id"]
        rows = reversed(self._scene.provider.ledger.accepted)
        return next((row for row in rows if row.message_id == wanted), None)


def _unless_known(request: web.Request, document: object) -> web.Response:
    body = msgspec.json.encode(document)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(body=body, content_type="application/json", headers={"ETag": tag})


def _json(document: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), content_type="application/json")
