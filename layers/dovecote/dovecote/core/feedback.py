"""What a provider reports of a send, after it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Verdict(StrEnum):
    """What an event of the provider makes known of a send."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"


class DeliveryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an email at its recipient's, and when, by the provider's clock.

    `event` is a word of `notification_events`. A bounce has a `bounce_type`: permanent, transient
    or undetermined.
    """

    event: str
    at: datetime
    reason: str | None = None
    bounce_type: str | None = None


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider tells of one send, after it: `claim` is the number of its claim."""

    route_id: UUID
    claim: int
    message_id: str
    known: Verdict
    error: str = ""
    note: DeliveryEvent | None = None


class EndpointGone(msgspec.Struct, frozen=True, kw_only=True):
    """No message can reach an endpoint any more, as the provider reported at a time of its own."""

    endpoint: str
    at: datetime


ProviderEvent = Feedback | EndpointGone


class BadEvent(Exception):
    """The text is no event of any provider."""
