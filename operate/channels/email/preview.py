"""Preview the email of a kind."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.email import mail


def rendered(
    renderer: Renderer, kind: Kind, locale: str | None, payload: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the subject, bodies and headers; raise RenderError."""
    return msgspec.structs.asdict(mail.render(renderer, kind, locale, payload))
