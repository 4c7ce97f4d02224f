"""Preview the push notification of a kind."""

from collections.abc import Mapping
from typing import Any

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.push.kind import FILE, Alert
from operate.channels.message import Message


def rendered(
    renderer: Renderer, kind: Kind, locale: str | None, payload: Mapping[str, Any]
) -> Message:
    """Return the title and the body; raise RenderError."""
    one = renderer.texts(kind, locale, FILE, Alert, payload)
    return Message(title=one.title, text=one.body)
