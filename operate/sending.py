"""Submit the notification of a file, and follow its routes until each has ended."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from dovecote.core.parsing import strict_json
from dovecote.core.problems import Malformed
from dovecote.submit import idempotency_key
from operate import OperatorError
from operate.api import Api, Document
from operate.finding import Finding, ok, skipped, wrong
from operate.site import Clock

MOST = timedelta(seconds=120)
LOOK_SECONDS = 2.0
BAD_ENDS = {"dead_lettered", "cancelled"}
ENDED = {"published", "skipped", *BAD_ENDS}
POST = "POST /notifications"
REMEDY = f"give the body of {POST}, or an event of {POST} as in events/"
Route = Mapping[str, Any]
T = TypeVar("T")


def read(path: Path) -> dict[str, Any]:
    """Return the body in a file, of an event or bare; raise OperatorError.

    Numbers keep their digits. The key of an event's Idempotency-Key header is put into the body.
    """
    try:
        return parse(path.read_bytes(), path.name)
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {type(error).__name__}", REMEDY) from None


def parse(text: bytes, name: str) -> dict[str, Any]:
    """Return the body that a text has, of an event or bare; raise OperatorError."""
    try:
        document = strict_json.read(text)
        if isinstance(document, dict) and "requestContext" in document:
            document = _body(document, name)
    except Malformed as error:
        raise OperatorError(f"{name} cannot be read: {error.detail}", REMEDY) from None
    if not isinstance(document, dict):
        raise OperatorError(f"{name} holds no notification", REMEDY)
    return document


def awaited(clock: Clock, deadline: datetime, look: Callable[[], T | None]) -> T | None:
    """Look every two seconds until there is something; None when the deadline is over."""
    while (found := look()) is None and clock.now() < deadline:
        clock.sleep(LOOK_SECONDS)
    return found


def if_ended(routes: Sequence[Route]) -> Sequence[Route] | None:
    """Return routes that have all ended; None while one has not."""
    return routes if all(route["status"] in ENDED for route in routes) else None


def follow(api: Api, notification_id: str, clock: Clock) -> Document:
    """Return a notification when all its routes have ended, or as it is after two minutes.

    Raises OperatorError.
    """
    found: list[Document] = []

    def look() -> Sequence[Route] | None:
        notification = api.read("notifications", notification_id)
        if notification is None:
            raise OperatorError(f"the API has no notification {notification_id}", "send it again")
        found[:] = [notification]
        return if_ended(notification["routes"])

    awaited(clock, clock.now() + MOST, look)
    return found[0]


def findings(notification: Document, *, is_final: bool) -> Iterator[Finding]:
    """Yield that a notification is stored, and how each route stands."""
    notification_id = notification["notification_id"]
    yield ok(f"{notification['kind']} is stored as notification {notification_id}")
    for route in notification.get("routes") or ():
        remedy = f"dovecote why --id {notification_id}"
        if route["status"] == "published":
            yield ok(state(route))
        elif route["status"] in BAD_ENDS or (is_final and route["status"] not in ENDED):
            yield wrong(state(route), remedy)
        else:
            yield skipped(state(route))


def state(route: Route) -> str:
    """Return how a route stands, in a line without its recipient."""
    error = f": {route['last_error']}" if route.get("last_error") else ""
    return f"{route['channel']} route {route['route_id']} is {route['status']}{error}"


def _body(event: Document, name: str) -> Any:
    """Return the body of an event, with its key; raise OperatorError and Malformed."""
    if event.get("routeKey", POST) != POST:
        raise OperatorError(f"{name} is an event of {event['routeKey']}", REMEDY)
    body = strict_json.read(str(event.get("body") or "").encode())
    key = idempotency_key.read(event.get("headers", {}).get("idempotency-key"))
    return {"idempotency_key": key, **body} if key and isinstance(body, dict) else body
