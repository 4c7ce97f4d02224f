"""Examples that the unit tests start from, each with what a test changes of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from dovecote.catalog.kinds import Kind, load
from dovecote.catalog.rendering import Renderer
from dovecote.core.backoff import Backoff
from dovecote.core.claim import Claim
from dovecote.core.notification import Notification, Priority
from dovecote.core.route import Channel, Route, Status, Target

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
    resolved_email=ANN,
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
    fingerprint="f",
    created_at=NOON,
    deliver_at=None,
    routes=[ROUTE],
)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

KIND = "greeting.sent"
ENTRY: dict[str, Any] = {
    "channels": ["email", "push"],
    "schema": {"type": "object", "required": ["name"]},
}
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
        "channel": Channel.EMAIL,
        "target": Target.ADDRESS,
        "kind": KIND,
        "idempotency_key": "greeting-1",
        "payload": '{"name":"Ann"}',
        "traceparent": None,
        "user_id": "u-1",
        "device_session_id": None,
        "resolved_email": ANN,
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
        "lane": 2,
        "due": 1_800_000_000.0,
        "suppressed": None,
        "token": UUID("0192f6a0-0000-4000-8000-000000000003"),
    }
    return Claim(**(values | changes))


def a_kind(**changes: Any) -> Kind:
    """Return a kind of both channels whose schema takes everything."""
    values: dict[str, Any] = {
        "name": KIND,
        "channels": (Channel.EMAIL, Channel.PUSH),
        "template": "greeting-sent",
        "priority": Priority.NORMAL,
        "time_to_live": 3600.0,
        "max_attempts": 0,
        "sender": None,
        "reply_to": None,
        "headers": {},
        "unsubscribe_url": None,
        "required": frozenset({"name"}),
        "check": lambda _payload: None,
    }
    return Kind(**(values | changes))


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


def a_renderer(folder: Path) -> tuple[Renderer, Kind]:
    """Return the renderer of a catalog of one kind, and that kind."""
    catalog = load(folder)
    return Renderer(catalog, folder), catalog[KIND]


def a_body(**changes: Any) -> bytes:
    """Return a request to notify; a member that is changed to `...` is left out."""
    document: dict[str, Any] = {
        "kind": "order.shipped",
        "idempotency_key": "order-1234-shipped",
        "payload": {"order_id": "1234", "carrier": "DHL"},
        "recipients": [{"user_id": "u-1", "email": ANN}],
    }
    document |= changes
    return json.dumps({k: v for k, v in document.items() if v is not ...}).encode()
