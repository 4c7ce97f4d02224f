"""Pass on to a deployed API what the console asks, signed with the operator's credentials.

Every user of this machine reaches a port on 127.0.0.1, so that only the page that was opened with
the console's key may ask. The key is on the operator's terminal alone. It is no cookie, which
browsers send to every port of a host: it is in the fragment of the printed address, which stays in
the browser, and the page sends it in a header to this port alone.
"""

import asyncio
import re
import secrets
from urllib.parse import quote, urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from dovecote.core.parsing import query_string
from dovecote.core.problems import Malformed
from operate import trouble
from operate.aws import Aws
from operate.console.guard import refused
from operate.console.pages import OPEN, PAGE

CALLS = (
    ("GET", "/overview"),
    ("GET", "/notifications"),
    ("GET", "/notifications/{notification_id}"),
    ("GET", "/dead-letters"),
    ("POST", "/dead-letters/redrive"),
    ("POST", "/dead-letters/{route_id}/redrive"),
    ("GET", "/redrives"),
    ("GET", "/refused"),
    ("GET", "/suppressions"),
    ("GET", "/devices"),
)
"""All that is passed on: what the page's views ask, and no other call of the API."""

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
FORBIDDEN = (
    "The API refuses these credentials (403): allow execute-api:Invoke on it, or attach the policy"
    " of the stack's output OperatorPolicyArn."
)
REFUSAL = (
    "This tab has no key to the console, or the key of an earlier run: open the address that"
    " dovecote console printed."
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


class Proxy:
    """The calls of an API, by the paths that they have there."""

    def __init__(self, api_url: str, signer: Aws) -> None:
        self._api_url = api_url.rstrip("/")
        self._signer = signer

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve them."""
        for method, path in CALLS:
            router.add_route(method, path, self.forward)

    async def forward(self, request: web.Request) -> web.Response:
        """Answer what the API answers, or in words why it was not reached."""
        if not all(map(UUID.fullmatch, request.match_info.values())):
            return refused(404, "The id in the path is not a UUID.")
        try:
            url = self._url(request)
        except Malformed as error:
            return refused(400, error.detail)
        body = await request.read()
        try:
            answer = await asyncio.to_thread(self._signer.send, request.method, url, body)
        except trouble.ERRORS as error:
            what, remedy = trouble.in_words(error)
            return refused(502, f"{what}: {remedy}")
        if answer.status == 403:
            return refused(403, FORBIDDEN)
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")

    def _url(self, request: web.Request) -> str:
        """Spell the URL in the one way that has the signature which API Gateway computes.

        Raises Malformed where the query has two readings.
        """
        resource = request.match_info.route.resource
        path = resource.canonical if resource else ""
        for name, value in request.match_info.items():
            path = path.replace(f"{{{name}}}", value)
        parameters = query_string.parse(request.rel_url.raw_query_string)
        query = urlencode(parameters, quote_via=quote, safe="")
        return f"{self._api_url}{path}" + (f"?{query}" if query else "")
