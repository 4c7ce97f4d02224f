"""Preview the push notification of a kind."""

from collections.abc import Mapping
from typing import Any

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.push import alert


def rendered(
    renderer: Renderer, kind: Kind, locale: str | None, payload: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the alert; raise RenderError."""
    return {"alert": alert.render(renderer, kind, locale, payload)}
