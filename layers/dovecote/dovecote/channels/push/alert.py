"""Render what a phone shows of a push notification."""

from collections.abc import Mapping
from typing import Any

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.push.kind import FILE, Alert


def render(
    renderer: Renderer, kind: Kind, locale: str | None, variables: Mapping[str, Any]
) -> Alert:
    """Render title and body; raise RenderError, or BadCatalog where a template is wrong."""
    return Alert(**renderer.texts(kind, locale, FILE, Alert, variables))
