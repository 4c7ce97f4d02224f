"""Who may use the operator's credentials: the browser that was opened with the console's key.

Every user of this machine reaches a port on 127.0.0.1; the key is on the operator's terminal alone.
"""

import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from operate.console.guard import refused
from operate.console.pages import PAGE

REFUSAL = "Open the address that make console printed; it holds the key to this page."


class Admission:
    """A key, which the first address carries and a cookie of the browser's from then on."""

    def __init__(self, port: int) -> None:
        self.key = secrets.token_urlsafe(32)
        # Cookies are of a host, whatever its port: two consoles have one each.
        self._cookie = f"dovecote-console-{port}"

    @property
    def path(self) -> str:
        """Return the address that admits a browser."""
        return f"{PAGE}?key={self.key}"

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse who has no key."""
        if self._is_key(request.cookies.get(self._cookie, "")):
            return await handler(request)
        if request.path == PAGE and self._is_key(request.query.get("key", "")):
            return self._admitted()
        return refused(403, REFUSAL)

    def _is_key(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.key.encode())

    def _admitted(self) -> web.Response:
        response = web.Response(status=303, headers={"Location": PAGE})
        response.set_cookie(self._cookie, self.key, httponly=True, samesite="Strict", path="/")
        return response
