"""Pass on to a deployed API what the console asks, signed with the operator's credentials."""

import asyncio
import re
from typing import Protocol
from urllib.parse import quote, urlencode

from aiohttp import web

from dovecote.core.parsing import query_string
from dovecote.core.problems import Malformed
from operate import trouble
from operate.aws import Answer
from operate.console.guard import refused

CALLS = (
    ("GET", "/overview"),
    ("GET", "/notifications"),
    ("GET", "/notifications/{notification_id}"),
    ("GET", "/dead-letters"),
    ("POST", "/dead-letters/redrive"),
    ("POST", "/dead-letters/{route_id}/redrive"),
    ("GET", "/redrives"),
    ("GET", "/suppressions"),
    ("GET", "/devices"),
)
"""All that is passed on: what the page's views ask, and no other call of the API."""

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
FORBIDDEN = (
    "The API refuses these credentials (403): allow execute-api:Invoke on it, or attach the policy"
    " of the stack's output OperatorPolicyArn."
)


class Signer(Protocol):
    """What signs and sends a request; it may raise the errors of botocore."""

    def send(self, method: str, url: str, body: bytes = b"") -> Answer:
        """Return the answer to a request that is signed for the HTTP API."""


class Proxy:
    """The calls of an API, by the paths that they have there."""

    def __init__(self, api_url: str, signer: Signer) -> None:
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
