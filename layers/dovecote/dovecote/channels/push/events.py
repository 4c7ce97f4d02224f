"""Read the events of platform applications about endpoints, as SNS brings them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from dovecote.core.feedback import BadEvent, EndpointGone

GONE = {"EndpointDisabled", "EndpointNotFound", "InvalidPlatformToken"}
"""Types of a failed delivery that are the device's own; others are of the message or the app."""

_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What reading JSON raises: also where it is nested too deeply, or has half of a surrogate pair."""


class _PushEvent(msgspec.Struct, rename="pascal"):
    """An event as SNS spells it."""

    event_type: str
    endpoint_arn: str
    time: datetime
    failure_type: str = ""

    @property
    def is_gone(self) -> bool:
        """Return whether no push can reach the endpoint any more."""
        return self.event_type == "EndpointDeleted" or self.failure_type in GONE


def read(text: str) -> Sequence[EndpointGone]:
    """Return the endpoint that is gone, if the event reports one; raise BadEvent."""
    try:
        event = msgspec.json.decode(text, type=_PushEvent)
    except _UNREADABLE as error:
        raise BadEvent(str(error)) from None
    return [EndpointGone(endpoint=event.endpoint_arn, at=event.time)] if event.is_gone else ()
