"""Serve the page at /, its own data and actions below /_local/, and the files of the console."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import web

from local import LocalError
from local.page import messages
from local.page.agreement import agreement, newest, read_routes
from local.page.breaks import BREAKS, Breaks
from local.page.samples import Samples
from local.provider import Acceptance
from local.provider.ledger import Email
from local.stack import Stack
from operate.console.guard import guard, refused
from operate.console.pages import Pages, as_json, as_seen_html

STATIC = Path(__file__).parent / "static"
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

    async def state(self, _: web.Request) -> web.Response:
        """Return what only the local stack knows; the API has the rest."""
        ledger = self._provider.ledger
        document: dict[str, Any] = {
            "breaks": self._breaks.state(),
            "orders": sum(not one.over for one in self._provider.orders),
            "attempts": [
                dataclasses.asdict(one)
                | {"channel": one.channel, "at": datetime.fromtimestamp(one.time, UTC)}
                for one in ledger.attempts[: -ATTEMPTS - 1 : -1]
            ],
            "received": len(ledger.attempts),
            "messages": messages.summaries(ledger.accepted[: -MESSAGES - 1 : -1]),
            "database": True,
        }
        accepted_before = list(ledger.accepted)
        try:
            routes = await read_routes(self._database_url)
        except psycopg.Error:
            return as_json(document | {"database": False})
        agreed = agreement(routes, accepted_before, list(ledger.accepted))
        return as_json(document | {"newest": newest(routes), "agreement": agreed})

    async def message(self, request: web.Request) -> web.Response:
        """Return an accepted message."""
        row = self._accepted(request)
        if row is None:
            return refused(404, "The provider accepted no such message.")
        (summary,) = messages.summaries([row])
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
