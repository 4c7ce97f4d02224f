"""Plan the routes of a push notification, and check that it can be rendered and fits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.planning import Oversized
from dovecote.channels.push.kind import FILE, Alert
from dovecote.channels.push.message import (
    LONGEST_EXPIRY,
    MAX_BYTES,
    PLATFORMS,
    ClientEvent,
    envelope,
)
from dovecote.channels.push.settings import PushSettings
from dovecote.core.device import UserDevice
from dovecote.core.notification import Recipient, Submission
from dovecote.core.parsing import strict_json
from dovecote.core.route import NewRoute, Target

NO_USER = "recipient has no user_id"
NO_DEVICE = "user has no device"
NOT_THIS_DEVICE = "device is not registered"

_NO_ROUTE = str(UUID(int=0))
_NO_TRACE = "0" * 32
"""Placeholders as long as the ids that a push will have."""


class PushPlanner:
    """Plans a route to each device of a user, and one to the topic where there is one."""

    uses_devices = True

    def __init__(self, *, topic: bool, renderer: Renderer, new_id: Callable[[], UUID]) -> None:
        self._topic = topic
        self._renderer = renderer
        self._new_id = new_id

    def routes(
        self, recipient: Recipient, devices: Sequence[UserDevice] | None
    ) -> Iterator[NewRoute]:
        """Yield the routes to a user's devices and to the topic, or one skip.

        Before a scheduled push is due, yield one route to the user.
        """
        named = recipient.device_session_id
        if recipient.user_id is None:
            yield self._route(recipient, named, skip=NO_USER)
            return
        if devices is None:
            yield self._route(recipient, named, Target.USER)
            return
        reached = [d for d in devices if named in (None, d.device_session_id)]
        for device in reached:
            yield self._route(recipient, device.device_session_id, endpoint=device.endpoint)
        if self._topic:
            yield self._route(recipient, named, Target.TOPIC)
        elif not reached:
            yield self._route(recipient, named, skip=NOT_THIS_DEVICE if named else NO_DEVICE)

    def check(
        self,
        kind: Kind,
        submission: Submission,
        recipient: Recipient,
        variables: Mapping[str, Any],
    ) -> str | Oversized | None:
        """Return why a push to a recipient does not fit, or None; raise RenderError."""
        shown = self._renderer.texts(kind, recipient.locale, FILE, Alert, variables)
        return _too_large(kind, submission, recipient, shown)

    def _route(
        self,
        recipient: Recipient,
        session: str | None,
        target: Target = Target.DEVICE,
        *,
        endpoint: str | None = None,
        skip: str | None = None,
    ) -> NewRoute:
        return NewRoute(
            route_id=self._new_id(),
            channel="push",
            target=target,
            user_id=recipient.user_id,
            device_session_id=session,
            address=None,
            locale=recipient.locale,
            data=None,
            skip=skip,
            endpoint=endpoint,
        )


def planner(settings: PushSettings, renderer: Renderer, new_id: Callable[[], UUID]) -> PushPlanner:
    """Return what plans routes to devices and to the topic."""
    return PushPlanner(topic=bool(settings.push_topic_arn), renderer=renderer, new_id=new_id)


def _too_large(
    kind: Kind, submission: Submission, recipient: Recipient, shown: Alert
) -> str | Oversized | None:
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
    size = max(len(envelope(p, shown, event, LONGEST_EXPIRY).encode()) for p in PLATFORMS)
    if size <= MAX_BYTES:
        return None
    detail = f"makes a push notification of {size} bytes; phones take {MAX_BYTES}"
    ids = strict_json.text([recipient.user_id, recipient.device_session_id])
    return detail if size - len(ids.encode()) > MAX_BYTES else Oversized(detail)
