"""The page's own routes: itself at /, what it shows and does below /_local/, and the console."""

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from aiohttp import web

from dovecote import channels
from local import LocalError
from local.page import messages
from local.page.agreement import agreement
from local.page.breaks import BREAKS, Breaks
from local.page.database import Row, ask, connect
from local.page.samples import Samples
from local.page.story import story
from local.provider import Acceptance
from local.provider.ledger import Email
from local.stack import Stack
from operate.console.guard import guard, refused
from operate.console.pages import Pages, as_json, as_seen_html

STATIC = Path(__file__).parent / "static"
NOTIFICATIONS = 40
MESSAGES = 100
ATTEMPTS = 200


def serve(app: web.Application, stack: Stack) -> None:
    """Serve the page from an application."""
    app.middlewares.append(guard)
    _Site(stack).add_routes(app.router)
    Pages(stack.options.root, {"environment": "local"}).add_routes(app.router)


class _Site:
    def __init__(self, stack: Stack) -> None:
        self._database_url = stack.database_url
        self._provider = stack.provider
        self._breaks = Breaks(stack)
        self._samples = Samples(stack.options.root / "events")

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve what shows something, and then what changes something."""
        button = f"/_local/breaks/{{name:{'|'.join(BREAKS)}}}"
        router.add_routes(
            [
                web.get("/", self.index),
                web.static("/_local/static", STATIC),
                web.get("/_local/state", self.state),
                web.get("/_local/notifications/{id}", self.notification),
                web.get("/_local/messages/{id}", self.message),
                web.get("/_local/messages/{id}/html", self.html),
                web.get("/_local/samples", self.samples),
                web.post("/_local/samples/{name}/order", self.order),
                web.put(button, self.press),
                web.delete(button, self.release),
                web.delete("/_local/breaks", self.release_all),
            ]
        )

    async def index(self, _: web.Request) -> web.FileResponse:
        """Return the page."""
        return web.FileResponse(STATIC / "index.html")

    async def state(self, request: web.Request) -> web.Response:
        """Return how all stands; 304 where it still stands as the caller knows."""
        ledger = self._provider.ledger
        document: dict[str, Any] = {
            "channels": channels.NAMES,
            "breaks": self._breaks.state(),
            "orders": sum(not one.over for one in self._provider.orders),
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
        ledger = self._provider.ledger
        async with await connect(self._database_url) as connection:
            accepted_before = list(ledger.accepted)
            newest, routes, ends, letters, pauses = await ask(
                connection,
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
            async with await connect(self._database_url) as connection:
                found, routes, failures = await ask(
                    connection, ("notification", known), ("routes", known), ("failures", known)
                )
        except psycopg.DataError:
            return refused(404, "This is no notification's id.")
        except psycopg.Error:
            return refused(503, "PostgreSQL is out of reach.")
        if not found:
            return refused(404, "There is no such notification.")
        told = [{**route, "story": self._story(route, failures)} for route in routes]
        return _unless_known(request, {**found[0], "routes": told})

    def _story(self, route: Row, failures: Sequence[Row]) -> list[dict[str, Any]]:
        route_id = route["route_id"]
        attempts = [one for one in self._provider.ledger.attempts if one.route_id == route_id]
        return story(route, attempts, [one for one in failures if one["route_id"] == route_id])

    async def message(self, request: web.Request) -> web.Response:
        """Return an accepted message."""
        row = self._accepted(request)
        if row is None:
            return refused(404, "The provider accepted no such message.")
        (summary,) = messages.summaries([row], {})
        return as_json({**summary, **messages.detail(row)})

    async def html(self, request: web.Request) -> web.Response:
        """Return an email's HTML, which may do nothing but be seen."""
        row = self._accepted(request)
        if row is None or not isinstance(row.content, Email):
            return refused(404, "The provider accepted no such email.")
        return as_seen_html(row.content.html)

    def _accepted(self, request: web.Request) -> Acceptance | None:
        wanted = request.match_info["id"]
        rows = reversed(self._provider.ledger.accepted)
        return next((row for row in rows if row.message_id == wanted), None)

    async def samples(self, _: web.Request) -> web.Response:
        """Return what the form offers."""
        return web.json_response(self._samples.documents)

    async def order(self, request: web.Request) -> web.Response:
        """Order of the provider what an event needs, in place of the same orders from before."""
        wanted = self._samples.orders(request.match_info["name"])
        for standing in self._provider.orders:
            if standing.order in wanted:
                self._provider.withdraw(standing.id)
        self._provider.give(*wanted)
        return web.Response(status=204)

    async def press(self, request: web.Request) -> web.Response:
        """Break something."""
        try:
            await self._breaks.press(request.match_info["name"])
        except LocalError as error:
            return refused(409, str(error))
        return web.json_response(self._breaks.state())

    async def release(self, request: web.Request) -> web.Response:
        """Mend one thing."""
        await self._breaks.release(request.match_info["name"])
        return web.json_response(self._breaks.state())

    async def release_all(self, _: web.Request) -> web.Response:
        """Mend everything."""
        await self._breaks.release_all()
        return web.json_response(self._breaks.state())


def _unless_known(request: web.Request, document: object) -> web.Response:
    response = as_json(document)
    tag = f'"{hashlib.blake2b(msgspec.json.encode(document), digest_size=12).hexdigest()}"'
    if request.headers.get("If-None-Match") == tag:
        response = web.Response(status=304)
    response.headers["ETag"] = tag
    return response
