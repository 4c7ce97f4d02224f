"""What the provider accepted, as the page shows it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from local.provider import Acceptance
from local.provider.ledger import Email, Push
from operate.texts import short

Document = dict[str, Any]


def summaries(rows: Iterable[Acceptance]) -> list[Document]:
    """Return a short document for each row."""
    return [
        {
            "message_id": row.message_id,
            "at": datetime.fromtimestamp(row.time, UTC),
            "channel": row.channel,
            **shown(row.content),
        }
        for row in rows
    ]


def detail(row: Acceptance) -> Document:
    """Return all of a message but for the HTML, which has an address of its own."""
    content = row.content
    if isinstance(content, Email):
        return {
            "from": content.source,
            "to": ", ".join(content.destination),
            "reply_to": ", ".join(content.reply_to),
            "subject": content.subject,
            "html": content.html is not None,
            "text": content.text,
            "headers": dict(content.headers),
            "tags": dict(content.tags),
        }
    return {
        **shown(content),
        "target": content.target,
        "envelope": _pretty(content.payload),
        "attributes": dict(content.attributes),
        "group_id": content.group_id,
        "deduplication_id": content.deduplication_id,
    }


def shown(content: Email | Push) -> Document:
    """Return whom a message is for, and what they see of it first."""
    if isinstance(content, Email):
        return {"to": ", ".join(content.destination), "title": content.subject, "body": ""}
    parts = content.target.rpartition(":")[2].split("/")
    alert = _alert(content.payload)
    if len(parts) != 4:
        return {"to": f"topic {parts[0]}", "platform": None, **alert}
    platform = {"GCM": "FCM"}.get(parts[1], parts[1])
    return {"to": f"{platform} device {short(parts[3])}", "platform": platform, **alert}


def _alert(payload: str) -> Document:
    """Return what a phone shows of a payload; a topic's client event shows its kind."""
    try:
        document = json.loads(payload)
        if "aps" in document:
            shown = document["aps"]["alert"]
        elif "fcmV1Message" in document:
            shown = document["fcmV1Message"]["message"]["notification"]
        else:
            shown = {"title": document.get("kind", ""), "body": "client event"}
        return {"title": str(shown["title"]), "body": str(shown["body"])}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"title": "", "body": payload[:200]}


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
