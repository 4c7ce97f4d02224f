"""The HTTP API: requests in, events of payload format 2.0 to functions, answers out."""

import asyncio
import base64
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from local import ACCOUNT
from local.process import Answer
from local.template import Route
from operate.console.guard import local_only

MAX_BODY = 10 * 1024 * 1024
INTEGRATION_SECONDS = 30
API_ID = "local"
Invoke = Callable[[str, bytes], Awaitable[Answer]]


def create_app(routes: Iterable[Route], invoke: Invoke) -> web.Application:
    """Make the application that answers for the HTTP API."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[local_only])
    add_routes(app, routes, invoke)
    return app


def add_routes(app: web.Application, routes: Iterable[Route], invoke: Invoke) -> None:
    """Answer for the HTTP API whatever nobody before it answers for."""
    # Also of a path with a line break in it.
    app.router.add_route("*", r"/{path:[\s\S]*}", _Gateway(routes, invoke).handle)


class _Gateway:
    def __init__(self, routes: Iterable[Route], invoke: Invoke) -> None:
        self._routes = [(route, _pattern(route.path)) for route in sorted(routes, key=_rank)]
        self._invoke = invoke

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        match = self._match(request.method, _path(request))
        if match is None:
            return _message(404, "Not Found")
        route, parameters = match
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _message(413, "Request Entity Too Large")
        event = json.dumps(_event(request, route, parameters, body)).encode()
        try:
            # An integration that is given up runs on, to its function's own timeout.
            running = asyncio.ensure_future(self._invoke(route.function, event))
            answer = await asyncio.wait_for(asyncio.shield(running), INTEGRATION_SECONDS)
        except TimeoutError:
            return _message(503, "Service Unavailable")
        if answer.failed:
            return _message(500, "Internal Server Error")
        return _response(answer.payload)

    def _match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route, pattern in self._routes:
            found = pattern.fullmatch(path)
            if found is not None and route.method in (method, "ANY"):
                names = re.findall(r"\{(\w+)\+?\}", route.path)
                return route, dict(zip(names, found.groups(), strict=True))
        return None


def _rank(route: Route) -> tuple[int, int, bool]:
    """Order routes as API Gateway chooses: full matches first, greedy ones last."""
    return route.path.count("+}"), route.path.count("{"), route.method == "ANY"


def _pattern(path: str) -> re.Pattern[str]:
    literals_and_names = re.split(r"\{(\w+\+?)\}", path)
    parts = [
        re.escape(part) if index % 2 == 0 else ("(.+)" if part.endswith("+") else "([^/]+)")
        for index, part in enumerate(literals_and_names)
    ]
    return re.compile("".join(parts))


def _path(request: web.Request) -> str:
    """Return the path as HTTP APIs have it: decoded once, before a route is matched.

    A decoded ? ends it. Events that were recorded on AWS show both, in `rawPath` too (ADR 28).
    """
    return unquote(request.rel_url.raw_path).partition("?")[0]


def _event(
    request: web.Request, route: Route, parameters: dict[str, str], body: bytes
) -> dict[str, Any]:
    headers, cookies = _headers(request)
    route_key = f"{route.method} {route.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": _path(request),
        "rawQueryString": request.rel_url.raw_query_string,
        "headers": headers,
        "requestContext": _context(request, route_key),
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query := _joined(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)):
        event["queryStringParameters"] = query
    if parameters:
        event["pathParameters"] = parameters
    if body:
        event |= _body(body)
    return event


def _headers(request: web.Request) -> tuple[dict[str, str], list[str]]:
    given = [(name.lower(), value) for name, value in request.headers.items()]
    headers = _joined(pair for pair in given if pair[0] != "cookie")
    headers["x-amzn-trace-id"] = f"Root=1-{int(datetime.now(UTC).timestamp()):08x}-{_hex(24)}"
    cookies = [one for name, value in given if name == "cookie" for one in value.split("; ")]
    return headers, cookies


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values by their names, those of one name joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _context(request: web.Request, route_key: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": _path(request),
            "protocol": "HTTP/1.1",
            "sourceIp": request.remote or "127.0.0.1",
            "userAgent": request.headers.get("User-Agent", ""),
        },
        "requestId": _hex(16),
        "routeKey": route_key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now.timestamp() * 1000),
    }


def _response(payload: bytes) -> web.Response:
    """Make the HTTP response of a function's answer; 500 where it is none."""
    document = json.loads(payload)
    if not isinstance(document, dict) or "statusCode" not in document:
        # API Gateway takes any other JSON for the body of a 200.
        return web.Response(body=payload, content_type="application/json")
    try:
        return _shaped(document)
    except (TypeError, ValueError, AttributeError):
        return _message(500, "Internal Server Error")


def _shaped(document: dict[str, Any]) -> web.Response:
    text = document.get("body") or ""
    body = base64.b64decode(text) if document.get("isBase64Encoded") else text.encode()
    response = web.Response(status=int(document["statusCode"]), body=body)
    response.headers["Content-Type"] = "text/plain;charset=UTF-8"
    for name, value in (document.get("headers") or {}).items():
        response.headers[name] = _header(value)
    for cookie in document.get("cookies") or ():
        response.headers.add("Set-Cookie", cookie)
    return response


def _header(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _message(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _hex(length: int) -> str:
    return uuid.uuid4().hex[:length]
