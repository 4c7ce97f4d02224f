"""Preview the email of a kind."""

from collections.abc import Mapping
from typing import Any

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.email import mail
from operate.channels.message import Message


def rendered(
    renderer: Renderer, kind: Kind, locale: str | None, payload: Mapping[str, Any]
) -> Message:
    """Return the subject, bodies and headers; raise RenderError."""
    one = mail.render(renderer, kind, locale, payload)
    return Message(title=one.subject, text=one.text, html=one.html, headers=one.headers)
