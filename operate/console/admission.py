"""Who may use the operator's credentials: the page that was opened with the console's key.

Every user of this machine reaches a port on 127.0.0.1; the key is on the operator's terminal alone.
It is no cookie, which browsers send to every port of a host: it is in the fragment of the printed
address, which stays in the browser, and the page sends it in a header to this port alone.
"""

import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from operate.console.guard import refused
from operate.console.pages import OPEN, PAGE

REFUSAL = (
    "This tab has no key to the console, or the key of an earlier run: open the address that make"
    " console printed."
)


class Admission:
    """A key that is made once a run, and sent with each request for data."""

    def __init__(self) -> None:
        self._key = secrets.token_urlsafe(32)

    @property
    def path(self) -> str:
        """Return the address that brings the key to the page."""
        return f"{PAGE}#key={self._key}"

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests without the key, but for the files of the page."""
        resource = request.match_info.route.resource
        if (resource is not None and resource.canonical in OPEN) or self._has_key(request):
            return await handler(request)
        response = refused(401, REFUSAL)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def _has_key(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_key = secrets.compare_digest(given.encode(errors="replace"), self._key.encode())
        return is_key and scheme.lower() == "bearer"
