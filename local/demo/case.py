"""The cases of the demo: read from events/, sent through the HTTP API."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from local.provider import Order, Provider
from local.provider.order import read_orders

# What a file says instead of the id that only the answer to an earlier one brings.
PLACEHOLDER = "00000000-0000-0000-0000-000000000000"
# A notification for later is due this soon, so that the demo ends.
LATER = timedelta(seconds=3)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One entry of events/demo.yaml."""

    name: str
    event: dict[str, Any]  # an HTTP API event of payload format 2.0
    expect: int
    replayed: bool
    of: str | None  # the case whose notification this one is about
    orders: tuple[Order, ...]

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return str(self.event["requestContext"]["http"]["method"])


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What came back for a case."""

    path: str
    status: int
    replayed: bool
    document: dict[str, Any]

    @property
    def notification_id(self) -> str | None:
        """Return the id of the notification that the answer is about."""
        return self.document.get("notification_id")

    @property
    def notification_ids(self) -> list[str]:
        """Return the ids of all notifications that the answer is about."""
        told = [result.get("notification", {}) for result in self.document.get("results", ())]
        ids = [document.get("notification_id") for document in [self.document, *told]]
        return [one for one in ids if one is not None]


def read_cases(directory: Path) -> list[Case]:
    """Read the cases in the order in which they are to be sent."""
    entries = yaml.safe_load((directory / "demo.yaml").read_text())
    return [_case(directory, entry) for entry in entries]


def _case(directory: Path, entry: dict[str, Any]) -> Case:
    order = entry.get("order")
    return Case(
        name=entry["event"],
        event=json.loads((directory / entry["event"]).read_text()),
        expect=entry["expect"],
        replayed=entry.get("replayed", False),
        of=entry.get("of"),
        orders=() if order is None else tuple(read_orders(order)),
    )


def target(event: Mapping[str, Any]) -> str:
    """Return the path and query that an event was sent to."""
    query = event["rawQueryString"]
    return f"{event['rawPath']}?{query}" if query else str(event["rawPath"])


async def send_all(cases: Sequence[Case], url: str, provider: Provider) -> list[tuple[Case, Sent]]:
    """Send all cases, one after another, each after its orders were given."""
    sent: list[tuple[Case, Sent]] = []
    async with aiohttp.ClientSession(url) as session:
        for case in cases:
            provider.give(*case.orders)
            sent.append((case, await _send(case, session, sent)))
    return sent


async def _send(
    case: Case, session: aiohttp.ClientSession, earlier: list[tuple[Case, Sent]]
) -> Sent:
    path = target(case.event).replace(PLACEHOLDER, _id_of(case, earlier))
    headers = {name: value for name, value in case.event["headers"].items() if name != "host"}
    async with session.request(
        case.method, path, data=_body(case.event), headers=headers
    ) as response:
        return Sent(
            path=path,
            status=response.status,
            replayed=response.headers.get("Idempotent-Replayed") == "true",
            document=json.loads(await response.read() or b"{}"),
        )


def _id_of(case: Case, earlier: list[tuple[Case, Sent]]) -> str:
    ids = {known.name: sent.notification_id for known, sent in earlier}
    return (case.of and ids.get(case.of)) or PLACEHOLDER


def _body(event: dict[str, Any]) -> str | None:
    body: str | None = event.get("body")
    if body is None or '"deliver_at"' not in body:
        return body
    later = datetime.now(UTC) + LATER
    return json.dumps({**json.loads(body), "deliver_at": later.isoformat()})
