"""Read the events of SES about emails after they were sent, as EventBridge brings them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from dovecote.core.feedback import BadEvent, DeliveryEvent, Feedback, Verdict

KNOWN: Mapping[str, Verdict] = {
    # Whatever becomes of it at the recipient's, the provider took it.
    "Send": Verdict.ACCEPTED,
    "Delivery": Verdict.ACCEPTED,
    "DeliveryDelay": Verdict.ACCEPTED,
    "Bounce": Verdict.ACCEPTED,
    "Complaint": Verdict.ACCEPTED,
    "Open": Verdict.ACCEPTED,
    "Click": Verdict.ACCEPTED,
    "Subscription": Verdict.ACCEPTED,
    # It took it, and then found that it would not send it.
    "Reject": Verdict.NOT_SENT,
    "Rendering Failure": Verdict.NOT_SENT,
}
"""What each type of event makes known of its email."""


NOTED: Mapping[str, tuple[str, str]] = {
    "Delivery": ("delivery", "delivered"),
    "DeliveryDelay": ("deliveryDelay", "delayed"),
    "Bounce": ("bounce", "bounced"),
    "Complaint": ("complaint", "complained"),
}
"""What is noted of each type that follows a send: its member of the event, and our word."""

BOUNCES = {"permanent", "transient", "undetermined"}
MOST_CLAIMS = 2**31 - 1

_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What reading JSON raises: also where it is nested too deeply, or has half of a surrogate pair."""


class _Mail(msgspec.Struct):
    messageId: str  # noqa: N815 - as SES spells it
    tags: dict[str, list[str]] = {}


class _Detail(msgspec.Struct):
    eventType: str  # noqa: N815
    mail: _Mail
    reject: dict[str, Any] = {}
    delivery: Any = None
    deliveryDelay: Any = None  # noqa: N815
    bounce: Any = None
    complaint: Any = None


class _After(msgspec.Struct, rename="camel"):
    """The member of an event that says what became of its email."""

    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    complaint_sub_type: str | None = None
    delay_type: str | None = None


class _Event(msgspec.Struct):
    source: str
    detail: msgspec.Raw


def read(text: str) -> Sequence[Feedback]:
    """Return what an event reports of an email of ours.

    Another event of EventBridge reports nothing. Raises BadEvent for what is no such event.
    """
    try:
        event = msgspec.json.decode(text, type=_Event)
    except _UNREADABLE as error:
        raise BadEvent(str(error)) from None
    if event.source != "aws.ses":
        return ()
    try:
        return _feedback(msgspec.json.decode(event.detail, type=_Detail))
    except _UNREADABLE:
        return ()  # SES also sends events that concern no email


def _feedback(detail: _Detail) -> Sequence[Feedback]:
    known = KNOWN.get(detail.eventType)
    (route, *_), (claim, *_) = (
        detail.mail.tags.get(name) or [""] for name in ("route_id", "claim")
    )
    try:
        route_id, number = UUID(route), int(claim)
    except ValueError:
        return ()
    if known is None or not 0 < number <= MOST_CLAIMS:
        return ()
    feedback = Feedback(
        route_id=route_id, claim=number, message_id=detail.mail.messageId, known=known,
        error=_error(detail), note=_note(detail),
    )  # fmt: skip
    return (feedback,)


def _note(detail: _Detail) -> DeliveryEvent | None:
    """Return what is to be noted of an event, without the words of anybody's mail server."""
    if detail.eventType not in NOTED:
        return None
    member, event = NOTED[detail.eventType]
    try:
        after = msgspec.convert(getattr(detail, member), _After)
    except msgspec.ValidationError:
        return None
    if event != "bounced":
        said = after.complaint_feedback_type or after.complaint_sub_type or after.delay_type
        return DeliveryEvent(event=event, at=after.timestamp, reason=_words(said))
    bounce_type = _words(after.bounce_type)
    return DeliveryEvent(
        event=event,
        at=after.timestamp,
        reason=_words(after.bounce_type, after.bounce_sub_type),
        bounce_type=bounce_type if bounce_type in BOUNCES else "undetermined",
    )


def _words(*said: str | None) -> str | None:
    """Return words in small letters; what is none of SES's words is left out."""
    words = [word.lower() for word in said if word and re.fullmatch("[A-Za-z-]{1,64}", word)]
    return "/".join(words) or None


def _error(detail: _Detail) -> str:
    """Return why an email was not sent, in words that hold nothing of it."""
    reason = detail.reject.get("reason")
    return f"SES {detail.eventType}" + (": Bad content" if reason == "Bad content" else "")
