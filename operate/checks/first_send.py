"""A first send: one notification to SES's mailbox simulator, followed to the event it causes."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from dovecote.core.parsing import strict_json
from operate import OperatorError, sending
from operate.finding import Finding, ok, skipped, wrong
from operate.sending import MOST, Route, awaited
from operate.site import Site

# This machine's clock may be ahead of that of the logs.
SKEW = timedelta(seconds=60)
SIMULATOR = "simulator.amazonses.com"
ANOTHER = "name another file with --event, or none"


def first_send(site: Site, event: Path | None) -> Iterator[Finding]:
    """Send an event's body, if one is named, and follow it; each step says how long it took."""
    if event is None:
        yield skipped(
            f"not sent: dovecote doctor --env {site.environment} --send sends events/email.json to"
            " SES's mailbox simulator, and follows it"
        )
        return
    try:
        yield from _followed(site, read_sample(event))
    except OperatorError as error:
        yield wrong(f"first send: {error}", error.remedy)


def _followed(site: Site, body: Mapping[str, Any]) -> Iterator[Finding]:
    began = site.clock.now()
    notification_id = _submit(site, body)
    yield ok(f"first send: stored as notification {notification_id} ({_since(site, began)})")
    routes = _ended(site, notification_id, began + MOST)
    for route in routes:
        yield _end(site, route, began)
    if site.parameter("EmailFeedback") != "on" or site.is_quiet:
        why = (
            f"LogLevel is {site.parameter('LogLevel')}" if site.is_quiet else "EmailFeedback is off"
        )
        yield skipped(f"first send: no event of SES's is waited for, {why}")
        return
    for route in routes:
        if route["status"] == "published":
            yield _event(site, route, began)


def read_sample(path: Path) -> dict[str, Any]:
    """Return the body of an event, or a bare body, with a key of its own; raise OperatorError."""
    body = sending.read(path)
    recipients = body.get("recipients")
    if not isinstance(recipients, list) or not all(isinstance(one, dict) for one in recipients):
        raise OperatorError(f"{path.name} has no recipients", ANOTHER)
    if strays := [place for place, one in enumerate(recipients) if not _simulated(one)]:
        raise OperatorError(
            f"{path.name}: /recipients/{strays[0]} has no email address of {SIMULATOR}:"
            " a first send writes to nobody else",
            ANOTHER,
        )
    return {**body, "idempotency_key": f"doctor-{uuid.uuid4()}"}


def _simulated(recipient: dict[str, Any]) -> bool:
    address = recipient.get("email")
    return isinstance(address, str) and address.lower().rpartition("@")[2] == SIMULATOR


def _submit(site: Site, body: Mapping[str, Any]) -> str:
    """Submit by direct invocation and return the notification's id; raise OperatorError."""
    # The output is of an alias, which the caller may be allowed to invoke and not the function.
    name = site.output("SubmitFunctionName") or site.function("Submit")
    answer = site.client("lambda").invoke(
        FunctionName=name, Payload=strict_json.text(body).encode()
    )
    document = json.loads(answer["Payload"].read() or b"null")
    if not isinstance(document, dict):
        raise OperatorError("submit's answer is no document", site.logs("Submit"))
    if "FunctionError" in answer:
        said = document.get("errorMessage") or document.get("errorType") or answer["FunctionError"]
        raise OperatorError(f"submit failed: {said}", site.logs("Submit"))
    if "notification_id" not in document:
        raise OperatorError(f"submit refused it: {_problem(document)}", "mend that, or the event")
    return str(document["notification_id"])


def _ended(site: Site, notification_id: str, deadline: datetime) -> Sequence[Route]:
    """Return the routes when all have ended; raise OperatorError where they do not in time."""
    look = partial(_routes, site, notification_id)
    ended = awaited(site.clock, deadline, lambda: sending.if_ended(look()))
    if ended is not None:
        return ended
    states = "; ".join(sending.state(route) for route in look())
    raise OperatorError(
        f"no end after {MOST.total_seconds():.0f} s: {states}",
        f"dispatch tries on until the route expires; {site.logs('Dispatch')}",
    )


def _routes(site: Site, notification_id: str) -> Sequence[Route]:
    """Return the routes to addresses; raise OperatorError where there are none."""
    notification = site.api.read("notifications", notification_id)
    if notification is None:
        raise OperatorError(f"the API has no notification {notification_id}", site.logs("Api"))
    routes = [route for route in notification["routes"] if route["address"]]
    if not routes:
        raise OperatorError("its kind sends nothing to an address", ANOTHER)
    return routes


def _end(site: Site, route: Route, began: datetime) -> Finding:
    if route["status"] == "published":
        return ok(f"first send: {sending.state(route)} ({_since(site, began)})")
    return wrong(
        f"first send: {sending.state(route)} ({_since(site, began)})",
        "let EmailAllow have @simulator.amazonses.com"
        if route["status"] == "skipped"
        else site.logs("Dispatch"),
    )


def _event(site: Site, route: Route, began: datetime) -> Finding:
    """Wait for the log line of functions/feedback that names the route."""
    waited = site.clock.now()
    if awaited(site.clock, began + MOST, lambda: _line(site, route["route_id"], began)):
        return ok(
            f"first send: SES's event of route {route['route_id']} was taken"
            f" ({_since(site, waited)})"
        )
    return wrong(
        f"first send: no event of SES's for route {route['route_id']} came in"
        f" {_since(site, waited)}",
        "look at SES's events above, EventBridge's rule for aws.ses and the feedback queue;"
        f" {site.logs('Feedback')}",
    )


def _line(site: Site, route_id: str, began: datetime) -> bool | None:
    pattern = f'"feedback recorded" "{route_id}"'
    return bool(site.logged("Feedback", began - SKEW, pattern)) or None


def _problem(document: Mapping[str, Any]) -> str:
    faults = [f"{fault['pointer']} {fault['detail']}" for fault in document.get("errors", [])]
    return "; ".join([f"{document.get('status')} {document.get('detail')}", *faults])


def _since(site: Site, began: datetime) -> str:
    return f"{(site.clock.now() - began).total_seconds():.1f} s"
