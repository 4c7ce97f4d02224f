"""Record what providers report after a send: events of messages, and endpoints that are gone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from dovecote import channels
from dovecote.core.feedback import BadEvent, EndpointGone, Feedback, ProviderEvent


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an event: the route that it names, and whether it changed anything.

    `route_id` is None where the event names no route of ours.
    """

    route_id: UUID | None = None
    settled: bool = False


class FeedbackStore(Protocol):
    """The record of what providers report after a send. Every call may raise StoreError."""

    def record_feedback(self, feedback: Feedback) -> bool:
        """Record a provider event of a send; return whether its route changed."""

    def mark_device_dead(self, endpoint: str, reported_at: datetime) -> bool:
        """Mark the device dead that the provider reported; return whether it was alive."""


class RecordFeedback(msgspec.Struct, kw_only=True):
    """Match events with routes by the tags that each send carries, and with devices by endpoint."""

    store: FeedbackStore

    def __call__(self, text: str) -> Taken:
        """Record the events of one document.

        A document about something else changes nothing. Raises BadEvent and StoreError.
        """
        taken = [self._take(event) for event in _events(text)]
        return Taken(
            route_id=next((one.route_id for one in taken if one.route_id is not None), None),
            settled=any(one.settled for one in taken),
        )

    def _take(self, event: ProviderEvent) -> Taken:
        match event:
            case Feedback():
                return Taken(route_id=event.route_id, settled=self.store.record_feedback(event))
            case EndpointGone():
                return Taken(settled=self.store.mark_device_dead(event.endpoint, event.at))


def _events(text: str) -> Sequence[ProviderEvent]:
    """Return the events of the first channel that understands a text; raise BadEvent."""
    errors: list[BadEvent] = []
    for name in channels.NAMES:
        try:
            return channels.get(name).events(text)
        except BadEvent as error:
            errors.append(error)
    raise errors[0]
