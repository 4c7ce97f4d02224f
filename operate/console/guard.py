"""Who may ask: this machine by its own name, and pages of this port.

A name that a stranger points at 127.0.0.1 (DNS rebinding) is refused by its Host, a form or script
of a foreign page by its Origin. What is no browser sends no Origin.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

NAMES = {"127.0.0.1", "localhost", "::1"}
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
    refusal = _refusal(request)
    try:
        response = refused(403, refusal) if refusal else await handler(request)
    except web.HTTPException as error:
        error.headers.update(HEADERS)
        raise
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def refused(status: int, detail: str) -> web.Response:
    """Make a problem document."""
    body = {"type": "about:blank", "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


def _refusal(request: web.Request) -> str | None:
    host = request.headers.get("Host", "")
    if _name(f"//{host}") not in NAMES:
        return "This Host is not of this machine: open http://127.0.0.1 or http://localhost."
    if request.method in SAFE:
        return None
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        return "This Origin is not of this page."
    # Browsers send it on each request; it tells of a foreign page where Origin is left out.
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return "This request comes from a foreign page."
    return None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
