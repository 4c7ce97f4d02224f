"""Who may ask a server on this machine: this machine by its own name, and pages of this port.

A name that a stranger points at 127.0.0.1 (DNS rebinding) is refused by its Host, a form or script
of a foreign page by its Origin. What is no browser sends no Origin.
"""

import re

from aiohttp import web
from aiohttp.typedefs import Handler

HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
CONTAINERS_HOST = re.compile(rf"{HOST.pattern}|host\.docker\.internal(:[0-9]{{1,5}})?", HOST.flags)
"""The second also has the name that containers of `sam local` have for this machine."""

SAFE = {"GET", "HEAD", "OPTIONS"}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
# An email is shown in a frame of its own: no scripts, nothing loaded, no way to the page around it.
EMAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not come from this machine, and say how answers may be used."""
    refusal = _refusal(request, HOST)
    try:
        response = refused(403, refusal) if refusal else await handler(request)
    except web.HTTPException as error:
        error.headers.update(HEADERS)
        raise
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not come from this machine or its containers; for ports without a page."""
    refusal = _refusal(request, CONTAINERS_HOST)
    return refused(403, refusal) if refusal else await handler(request)


def refused(status: int, detail: str) -> web.Response:
    """Make a problem document."""
    body = {"type": "about:blank", "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


def _refusal(request: web.Request, hosts: re.Pattern[str]) -> str | None:
    host = request.headers.get("Host", "")
    if len(request.headers.getall("Host", ())) != 1 or not hosts.fullmatch(host):
        return "This Host is not of this machine: use http://127.0.0.1 or http://localhost."
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        return "This Origin is not of this page."
    if request.method in SAFE:
        return None
    # Browsers send it on each request; it tells of a foreign page where Origin is left out.
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return "This request comes from a foreign page."
    return None
