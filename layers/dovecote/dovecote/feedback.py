"""Settle what SES tells of an email after it was sent: it was accepted, or it was not sent."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from dovecote.model import Feedback, Known
from dovecote.ports import Store

KNOWN: Mapping[str, Known] = {
    # Whatever becomes of it at the recipient's, the provider took it.
    "Send": Known.ACCEPTED,
    "Delivery": Known.ACCEPTED,
    "DeliveryDelay": Known.ACCEPTED,
    "Bounce": Known.ACCEPTED,
    "Complaint": Known.ACCEPTED,
    "Open": Known.ACCEPTED,
    "Click": Known.ACCEPTED,
    "Subscription": Known.ACCEPTED,
    # It took it, and then found that it would not send it.
    "Reject": Known.NOT_SENT,
    "Rendering Failure": Known.NOT_SENT,
}
"""What each type of event makes known of its email."""


class BadEvent(Exception):
    """The text is no event of EventBridge."""


class _Mail(msgspec.Struct):
    messageId: str  # noqa: N815 - as SES spells it
    tags: dict[str, list[str]] = {}


class _Detail(msgspec.Struct):
    eventType: str  # noqa: N815
    mail: _Mail
    reject: dict[str, Any] = {}


class _Event(msgspec.Struct):
    source: str
    detail: msgspec.Raw


class TakeFeedback:
    """Match events with routes by the tags that each send carries."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def __call__(self, text: str) -> bool:
        """Take one event; return whether it changed a route.

        One of another kind, of an email of somebody else's or of a route that is not here changes
        nothing. Raises BadEvent and StoreError.
        """
        feedback = _read(text)
        return feedback is not None and self._store.tell(feedback)


def _read(text: str) -> Feedback | None:
    try:
        event = msgspec.json.decode(text, type=_Event)
    except msgspec.MsgspecError as error:
        raise BadEvent(str(error)) from None
    if event.source != "aws.ses":
        return None
    try:
        return _feedback(msgspec.json.decode(event.detail, type=_Detail))
    except msgspec.MsgspecError:
        return None  # SES tells of other things too, which have no mail


def _feedback(detail: _Detail) -> Feedback | None:
    known = KNOWN.get(detail.eventType)
    (route, *_), (claim, *_) = (
        detail.mail.tags.get(name) or [""] for name in ("route_id", "claim")
    )
    try:
        route_id, number = UUID(route), int(claim)
    except ValueError:
        return None
    if known is None:
        return None
    return Feedback(
        route_id=route_id, claim=number, message_id=detail.mail.messageId, known=known,
        error=_error(detail),
    )  # fmt: skip


def _error(detail: _Detail) -> str:
    """Return why an email was not sent, in words that hold nothing of it."""
    reason = detail.reject.get("reason")
    return f"SES {detail.eventType}" + (": Bad content" if reason == "Bad content" else "")
