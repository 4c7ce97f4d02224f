"""What the console is made of wherever it is served: a page, its files, previews of the catalog."""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from dovecote import channels
from dovecote.catalog.errors import BadCatalog
from dovecote.catalog.rendering import RenderError
from operate.channels.message import Message
from operate.console.gallery import Gallery, Preview
from operate.console.guard import EMAIL_POLICY, refused

STATIC = Path(__file__).parent / "static"
PAGE = "/console"
FILES = "/_console/static"
PREVIEW = "/_console/previews/{ticket}"
OPEN = frozenset({PAGE, FILES, PREVIEW})
"""Paths that need no key: the page, its files, and previews, which have random addresses."""

PREVIEWS = 32
"""How many previews are kept to be shown in a frame; a frame sends no key."""


class Pages:
    """The console's own routes; `about` says to the reader which stack they look at."""

    def __init__(self, root: Path, about: Mapping[str, str]) -> None:
        self._gallery = Gallery(root / "layers" / "catalog" / "catalog", root / "events")
        self._about = about
        self._previews: OrderedDict[str, str] = OrderedDict()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve them."""
        router.add_routes(
            [
                web.get(PAGE, self.index),
                web.static(FILES, STATIC),
                web.get("/_console/about", self.about),
                web.get("/_console/templates", self.templates),
                web.get("/_console/templates/{kind}", self.template),
                web.get(PREVIEW, self.html),
            ]
        )

    async def index(self, _: web.Request) -> web.FileResponse:
        """Return the page."""
        return web.FileResponse(STATIC / "index.html")

    async def about(self, _: web.Request) -> web.Response:
        """Return the stack that this console belongs to, and the registered channels."""
        return as_json({**self._about, "channels": channels.NAMES})

    async def templates(self, _: web.Request) -> web.Response:
        """Return the kinds of the checkout's catalog with their locales."""
        try:
            return as_json(self._gallery.kinds())
        except BadCatalog as error:
            return refused(409, f"The catalog cannot be used: {error}.")

    async def template(self, request: web.Request) -> web.Response:
        """Return the messages of a kind in a locale; `html` is the address that shows it."""
        preview = self._preview(request)
        if isinstance(preview, web.Response):
            return preview
        messages = {channel: self._framed(one) for channel, one in preview.messages.items()}
        return as_json({"payload": preview.payload, "messages": messages})

    async def html(self, request: web.Request) -> web.Response:
        """Return the HTML of a message, with a policy that allows no script and no request."""
        html = self._previews.get(request.match_info["ticket"])
        if html is None:
            return refused(404, "There is no such preview any more: open the kind again.")
        return as_seen_html(html)

    def _framed(self, message: Message) -> Message:
        """Return a message with the address of its HTML in place of the HTML."""
        if message.html is None:
            return message
        return msgspec.structs.replace(message, html=self._address(message.html))

    def _address(self, html: str) -> str:
        """Keep the HTML of a preview, in place of the oldest, and return its address."""
        ticket = secrets.token_urlsafe(32)
        self._previews[ticket] = html
        if len(self._previews) > PREVIEWS:
            self._previews.popitem(last=False)
        return PREVIEW.format(ticket=ticket)

    def _preview(self, request: web.Request) -> Preview | web.Response:
        try:
            kind, locale = request.match_info["kind"], request.query.get("locale")
            preview = self._gallery.preview(kind, locale or None)
        except BadCatalog as error:
            return refused(409, f"The catalog cannot be used: {error}.")
        except RenderError as error:
            return refused(409, f"The sample cannot be rendered: {error}.")
        return preview or refused(404, "The catalog has no such kind.")


def as_json(document: Any) -> web.Response:
    """Make an answer of a document."""
    return web.Response(body=msgspec.json.encode(document), content_type="application/json")


def as_seen_html(html: str | None) -> web.Response:
    """Make an answer of an email's HTML, which may do nothing but be seen."""
    headers = {"Content-Security-Policy": EMAIL_POLICY}
    return web.Response(text=html, content_type="text/html", headers=headers)
