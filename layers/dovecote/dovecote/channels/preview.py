"""Render what a notification would send before it is stored, so that a fault is a 422."""

from typing import Any
from uuid import UUID

from dovecote.catalog import Kind
from dovecote.channels.push_message import (
    LONGEST_EXPIRY,
    MAX_BYTES,
    PLATFORMS,
    ClientEvent,
    envelope,
)
from dovecote.channels.rendering import Renderer, RenderError
from dovecote.model import Channel, Recipient, Submission

_NO_ROUTE = str(UUID(int=0))
_NO_TRACE = "0" * 32
"""Stand-ins of the size that the real ids will have."""


class TemplatePreview:
    """Makes the messages of a recipient and throws them away."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def fault(self, kind: Kind, submission: Submission, recipient: Recipient) -> str | None:
        """Return why a recipient's messages cannot be made, or None."""
        variables = {**submission.payload, **(recipient.data or {})}
        try:
            if Channel.EMAIL in kind.channels and recipient.email is not None:
                self._renderer.mail(kind, recipient.locale, variables)
            if Channel.PUSH in kind.channels and recipient.user_id is not None:
                return self._too_large(kind, submission, recipient, variables)
        except RenderError as error:
            return str(error)
        return None

    def _too_large(
        self, kind: Kind, submission: Submission, recipient: Recipient, variables: dict[str, Any]
    ) -> str | None:
        alert = self._renderer.alert(kind, recipient.locale, variables)
        event = ClientEvent(
            event_id=_NO_ROUTE,
            request_id=submission.idempotency_key,
            trace_id=_NO_TRACE,
            kind=kind.name,
            user_id=recipient.user_id or "",
            device_session_id=recipient.device_session_id,
            payload=variables,
        )
        # A redrive may give the push more time than its kind has.
        sizes = [len(envelope(p, alert, event, LONGEST_EXPIRY).encode()) for p in PLATFORMS]
        if max(sizes) <= MAX_BYTES:
            return None
        return f"makes a push notification of {max(sizes)} bytes; phones take {MAX_BYTES}"
