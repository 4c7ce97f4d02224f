"""Examples that the unit tests start from, each with what a test changes of it."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast
from unittest.mock import Mock
from uuid import UUID, uuid4

import msgspec
import yaml

from dovecote import channels
from dovecote.catalog.kinds import Kind, load
from dovecote.catalog.rendering import Renderer
from dovecote.catalog.sections import Section, Sections
from dovecote.channels import NAMES
from dovecote.channels.base import Tools
from dovecote.core.backoff import Backoff
from dovecote.core.claim import Claim
from dovecote.core.notification import Notification, Priority
from dovecote.core.route import NewRoute, Route, Status, Target

ROUTE_ID = UUID("0192f6a0-0000-4000-8000-000000000001")
ANN = "success+ann@simulator.amazonses.com"
NOTIFICATION_ID = UUID("0192f6a0-0000-4000-8000-000000000009")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROUTE = Route(
    route_id=ROUTE_ID,
    channel="email",
    status=Status.RETRYING,
    user_id="u-1",
    device_session_id=None,
    address=ANN,
    attempts=1,
    max_attempts=8,
    next_attempt_at=NOON,
    last_attempt_at=NOON,
    last_error="busy",
    expires_at=NOON,
    published_at=None,
    provider_message_id=None,
)
NOTIFICATION = Notification(
    notification_id=NOTIFICATION_ID,
    kind="order.shipped",
    idempotency_key="k-1",
    fingerprint=b"f",
    created_at=NOON,
    deliver_at=None,
    routes=[ROUTE],
)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

KIND = "greeting.sent"
ENTRY: dict[str, Any] = {
    "channels": ["letter", "pager"],
    "schema": {"type": "object", "required": ["name"]},
}


class Letter(Section, frozen=True, kw_only=True):
    """What a kind says to a channel of texts, with a template of its own in the entry."""

    files: ClassVar[Mapping[str, type[msgspec.Struct] | None]] = dict.fromkeys(
        ("subject.txt", "body.html", "body.txt")
    )

    footer: str | None = None

    def lines(self) -> Iterator[tuple[str, str]]:
        if self.footer is not None:
            yield "footer", self.footer


class Rendered(NamedTuple):
    """The files of a letter, rendered."""

    subject: str
    html: str
    text: str


class Beep(msgspec.Struct, forbid_unknown_fields=True):
    """The templates of push.json."""

    title: str
    body: str


class Pager(Section, frozen=True):
    """What a kind says to a channel of JSON: no key, and a file of templates."""

    files: ClassVar[Mapping[str, type[msgspec.Struct] | None]] = {"push.json": Beep}


SECTIONS: Sections = {"letter": Letter, "pager": Pager}
"""Two channels that the catalog is tested with: it knows none by itself."""

TEMPLATES = {
    "greeting-sent/subject.txt": "Hello {{ name }}\n",
    "greeting-sent/body.html": "<p>Hello {{ name }}</p>\n",
    "greeting-sent/body.txt": "Hello {{ name }}\n",
    "greeting-sent/push.json": '{"title": "Hello", "body": "It is {{ name }}"}',
}


def a_claim(**changes: Any) -> Claim:
    """Return the first attempt of an email."""
    values: dict[str, Any] = {
        "route_id": ROUTE_ID,
        "channel": "email",
        "target": Target.ADDRESS,
        "kind": KIND,
        "idempotency_key": "greeting-1",
        "payload": '{"name":"Ann"}',
        "traceparent": None,
        "user_id": "u-1",
        "device_session_id": None,
        "address": ANN,
        "endpoint": None,
        "locale": None,
        "data": None,
        "attempts": 1,
        "max_attempts": 5,
        "claims": 1,
        "counted": True,
        "lapsed": False,
        "in_doubt": False,
        "expires_in": 3600.0,
        "lane": 16,
        "due": 1_800_000_000.0,
        "suppressed": None,
        "token": UUID("0192f6a0-0000-4000-8000-000000000003"),
    }
    return Claim(**(values | changes))


def a_kind(**changes: Any) -> Kind:
    """Return a kind of every channel whose schema takes everything."""
    values: dict[str, Any] = {
        "name": KIND,
        "channels": NAMES,
        "template": "greeting-sent",
        "priority": Priority.NORMAL,
        "time_to_live": 3600.0,
        "max_attempts": 0,
        "sections": default_sections(),
        "required": frozenset({"name"}),
        "check": lambda _payload: None,
    }
    return Kind(**(values | changes))


def a_route(**changes: Any) -> NewRoute:
    """Return a route of one channel to a user."""
    values: dict[str, Any] = {
        "route_id": uuid4(),
        "channel": NAMES[0],
        "target": Target.ADDRESS,
        "user_id": "u-1",
        "device_session_id": None,
        "address": None,
        "locale": None,
        "data": None,
    }
    return NewRoute(**(values | changes))


def some_tools(**changes: Any) -> Tools:
    """Return what a channel sends with: no kinds, and a client that answers nothing."""
    values: dict[str, Any] = {
        "client": Mock(),
        "catalog": {},
        "renderer": cast(Renderer, None),
        "hold_seconds": 300.0,
        "trace_id": str,
        "now": float,
    }
    return Tools(**(values | changes))


def default_sections(**own: Section) -> dict[str, Section]:
    """Return what a kind says to each channel if its entry says nothing, with these instead."""
    return {name: section() for name, section in channels.sections().items()} | own


def default_backoff(**changes: float) -> Backoff:
    """Return the backoff of the default settings."""
    return Backoff(**({"base": 30.0, "factor": 2.0, "maximum": 3600.0, "jitter": 0.2} | changes))


def catalog_folder(
    folder: Path, entry: dict[str, Any] | None = None, templates: dict[str, str] | None = None
) -> Path:
    """Write a catalog of one well kind, with these changes to its entry and its templates."""
    changed = ENTRY | (entry or {})
    document = {"kinds": {KIND: changed}}
    (folder / "kinds.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    for name, text in (TEMPLATES | (templates or {})).items():
        path = folder / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def a_renderer(folder: Path, sections: Sections = SECTIONS) -> tuple[Renderer, Kind]:
    """Return the renderer of a catalog of one kind, and that kind."""
    catalog = load(folder, sections)
    return Renderer(catalog, folder), catalog[KIND]


def rendered(one: Renderer, kind: Kind, locale: str | None, values: dict[str, Any]) -> Rendered:
    """Render the files of a letter."""
    names = ("subject.txt", "body.html", "body.txt")
    return Rendered(*(one.text(kind, locale, name, values) for name in names))


def renderer_of(
    channel: str,
    folder: Path,
    entry: dict[str, Any] | None = None,
    templates: dict[str, str] | None = None,
) -> tuple[Renderer, Kind]:
    """Write a catalog of one kind of one channel; return its renderer, and the kind."""
    catalog_folder(folder, {"channels": [channel], **(entry or {})}, templates)
    return a_renderer(folder, {channel: channels.get(channel).section()})


def a_body(**changes: Any) -> bytes:
    """Return a request to notify; a member that is changed to `...` is left out."""
    document: dict[str, Any] = {
        "kind": "order.shipped",
        "idempotency_key": "order-1234-shipped",
        "payload": {"order_id": "1234", "carrier": "DHL"},
        "recipients": [{"user_id": "u-1"}],
    }
    document |= changes
    return json.dumps({k: v for k, v in document.items() if v is not ...}).encode()
