"""A file of events/, made ready: its function, its orders to the provider, what it refers to."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import LocalError
from local.demo.case import PLACEHOLDER, read_cases
from local.provider import Order
from local.template import Template, read_template
from operate import ROOT

EVENTS = ROOT / "events"
# With an identity there is feedback, and the queue of its events.
PARAMETERS = {"EmailIdentity": "example.com"}
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event and the function it is for, by its name in the template."""

    name: str
    function: str
    document: Document
    orders: tuple[Order, ...] = ()

    @property
    def refers(self) -> bool:
        """Tell whether the event is about a notification that it cannot name."""
        return PLACEHOLDER in self.document.get("rawPath", "")

    def about(self, notification_id: str) -> Document:
        """Return the document with a notification's id in its place."""
        text = json.dumps(self.document).replace(PLACEHOLDER, notification_id)
        document: Document = json.loads(text)
        return document


def names() -> list[str]:
    """Return the names of all events."""
    return sorted(path.stem for path in EVENTS.glob("*.json"))


def read_event(name: str) -> Event:
    """Read events/<name>.json; raises LocalError where there is none or no function takes it."""
    path = EVENTS / f"{name}.json"
    if name not in names():
        raise LocalError(f"events/ has no {path.name}, it has: {', '.join(names())}")
    document = _in_time(json.loads(path.read_text()), datetime.now(UTC))
    orders = {case.name: case.orders for case in read_cases(EVENTS)}
    return Event(
        name=name,
        function=_function(document, read_template(ROOT / "template.yaml", PARAMETERS), path),
        document=document,
        orders=orders.get(path.name, ()),
    )


def _function(document: Document, template: Template, path: Path) -> str:
    for route in template.routes:
        if document.get("routeKey") == f"{route.method} {route.path}":
            return route.function
    for schedule in template.schedules:
        if json.loads(schedule.input) == document:
            return schedule.function
    arns = {record.get("eventSourceARN") for record in document.get("Records", ())}
    for source in template.sources:
        if source.queue.arn in arns:
            return source.function
    raise LocalError(f"events/{path.name} is of no route, schedule or queue of template.yaml")


def _in_time(document: Document, now: datetime) -> Document:
    """Put a deliver_at that has passed into the next year, so that there is something to wait for.

    By a year, and not by an hour: the same key with another body would be refused.
    """
    body = document.get("body") or ""
    if '"deliver_at"' not in body:
        return document
    given = json.loads(body)
    due = datetime.fromisoformat(given["deliver_at"])
    if due > now:
        return document
    due = due.replace(year=now.year + 1)
    return {**document, "body": json.dumps({**given, "deliver_at": due.isoformat()})}
