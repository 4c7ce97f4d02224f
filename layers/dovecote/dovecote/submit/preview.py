"""Render what a notification would send before it is stored, so that a fault is a 422."""

from collections.abc import Hashable
from uuid import UUID

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Alert, Renderer, RenderError
from dovecote.channels.push.message import (
    LONGEST_EXPIRY,
    MAX_BYTES,
    PLATFORMS,
    ClientEvent,
    envelope,
)
from dovecote.core import strict_json
from dovecote.core.notification import Recipient, Submission
from dovecote.core.route import Channel
from dovecote.submit.ports import Oversized

_NO_ROUTE = str(UUID(int=0))
_NO_TRACE = "0" * 32
"""Stand-ins of the size that the real ids will have."""


class TemplatePreview:
    """Makes the messages of a recipient and throws them away."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def texts(self, kind: Kind, locale: str | None) -> Hashable:
        """Return the folder of the texts that a locale has."""
        return self._renderer.folder(kind, locale)

    def reads(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables of templates that have to be rendered to be checked."""
        return self._renderer.reads(kind, locale)

    def fault(
        self, kind: Kind, submission: Submission, recipient: Recipient
    ) -> str | Oversized | None:
        """Return why a recipient's messages cannot be made, or None."""
        data, payload = recipient.data or {}, submission.payload
        names = self._renderer.names(kind, recipient.locale)
        variables = {
            name: data[name] if name in data else payload[name]
            for name in names
            if name in data or name in payload
        }
        try:
            if Channel.EMAIL in kind.channels and recipient.email is not None:
                self._renderer.check_mail(kind, recipient.locale, variables)
            if Channel.PUSH in kind.channels and recipient.user_id is not None:
                alert = self._renderer.alert(kind, recipient.locale, variables)
                return _too_large(kind, submission, recipient, alert)
        except RenderError as error:
            return str(error)
        return None


def _too_large(
    kind: Kind, submission: Submission, recipient: Recipient, alert: Alert
) -> str | Oversized | None:
    """Return why a push does not fit, or None."""
    event = ClientEvent(
        event_id=_NO_ROUTE,
        request_id=submission.idempotency_key,
        trace_id=_NO_TRACE,
        kind=kind.name,
        user_id=recipient.user_id or "",
        device_session_id=recipient.device_session_id,
        payload={**submission.payload, **(recipient.data or {})},
    )
    # A redrive may give the push more time than its kind has.
    size = max(len(envelope(p, alert, event, LONGEST_EXPIRY).encode()) for p in PLATFORMS)
    if size <= MAX_BYTES:
        return None
    detail = f"makes a push notification of {size} bytes; phones take {MAX_BYTES}"
    ids = strict_json.text([recipient.user_id, recipient.device_session_id])
    return detail if size - len(ids.encode()) > MAX_BYTES else Oversized(detail)
