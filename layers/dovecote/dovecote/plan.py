"""Plan a notification: hold a submission against the catalog, and make its routes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol
from uuid import UUID

import msgspec
from msgspec.structs import replace

from dovecote import strict_json
from dovecote.catalog import Catalog, Kind, PayloadRefused
from dovecote.model import (
    MAX_PAYLOAD_BYTES,
    Channel,
    Device,
    NewNotification,
    NewRoute,
    Recipient,
    Submission,
)
from dovecote.ports import Store
from dovecote.problems import Fault, Invalid, TooLarge, pointer
from dovecote.routing import Routing

MAX_ROUTES = 10_000
"""An answer of 16,000 routes would be over the 6 MiB that Lambda takes."""

REFUSED = "The notification cannot be taken."


class Ids(msgspec.Struct, frozen=True, kw_only=True):
    """The ids by which it is seen how large a push notification is."""

    user: str
    session: str

    def given(self, recipient: Recipient) -> Recipient:
        """Give them to a recipient who can be reached by push."""
        if not recipient.user_id:
            return recipient
        return replace(recipient, user_id=self.user, device_session_id=self.session)


AS_LONG_AS_CAN_BE = Ids(user="x" * 255 * 4, session="x" * 255 * 4)
"""The bytes of 255 characters: UTF-8 makes four of one at most, JSON two of one that it escapes."""


class Preview(Protocol):
    """Says whether a kind's messages can be made, before anything is stored."""

    def fault(self, kind: Kind, submission: Submission, recipient: Recipient) -> str | None:
        """Return why a recipient's messages cannot be made, or None."""


class Plan:
    """Turn a submission into what is to be stored."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        preview: Preview,
        routing: Routing,
        store: Store,
        new_id: Callable[[], UUID],
    ) -> None:
        self._catalog = catalog
        self._preview = preview
        self._routing = routing
        self._store = store
        self._new_id = new_id

    def __call__(self, submission: Submission, *, at_once: int) -> NewNotification:
        """Return the notification to store, with its routes where nobody has a device.

        The first `at_once` of them are claimed, to be tried as soon as it is stored. Raises Invalid
        with every fault.
        """
        kind = self._catalog.get(submission.kind)
        if kind is None:
            raise Invalid(REFUSED, [Fault("/kind", "is not in the catalog")])
        if self._faults(kind, submission, AS_LONG_AS_CAN_BE):
            devices = self._devices(submission)
            faults = self._faults(kind, submission, _as_long_as_any(submission, devices))
            if faults:
                raise Invalid(REFUSED, faults)
        return NewNotification(
            notification_id=self._new_id(),
            submission=submission,
            routes=self._routes(submission, (), at_once),
            priority=kind.priority,
            max_attempts=kind.max_attempts,
            expires_in=kind.time_to_live,
        )

    def users(self, submission: Submission) -> list[str]:
        """Return those whose devices a notification would go to."""
        if Channel.PUSH not in self._catalog[submission.kind].channels:
            return []
        return [r.user_id for r in submission.recipients if r.user_id is not None]

    def with_devices(
        self, notification: NewNotification, devices: Sequence[Device], *, at_once: int
    ) -> NewNotification:
        """Return a planned notification with routes to these devices too; raise TooLarge."""
        routes = self._routes(notification.submission, devices, at_once)
        return replace(notification, routes=routes)

    def _devices(self, submission: Submission) -> Sequence[Device]:
        users = self.users(submission)
        return [d for d in self._store.devices(users) if not d.dead] if users else []

    def _routes(
        self, submission: Submission, devices: Sequence[Device], at_once: int
    ) -> Sequence[NewRoute]:
        kind = self._catalog[submission.kind]
        routes = self._routing.routes(kind, submission.recipients, devices, at_once=at_once)
        if len(routes) > MAX_ROUTES:
            raise TooLarge(
                f"The recipients have so many devices that there are {len(routes)} routes."
            )
        return routes

    def _faults(self, kind: Kind, submission: Submission, ids: Ids) -> list[Fault]:
        return [*self._unreachable(kind, submission), *self._unrenderable(kind, submission, ids)]

    def _unreachable(self, kind: Kind, submission: Submission) -> Iterator[Fault]:
        email, push = (channel in kind.channels for channel in (Channel.EMAIL, Channel.PUSH))
        for index, recipient in enumerate(submission.recipients):
            if not ((email and recipient.email) or (push and recipient.user_id)):
                detail = f"can be reached by none of the channels of {kind.name}"
                yield Fault(pointer(("recipients", index)), detail)

    def _unrenderable(self, kind: Kind, submission: Submission, ids: Ids) -> Iterator[Fault]:
        """Find what the schema or a template does not take, once for all who share it.

        All who are reached by push are given the same ids, so that one size holds for all.
        """
        seen: set[tuple[str | None, bool, bool]] = set()
        for index, recipient in enumerate(submission.recipients):
            shared = (recipient.locale, bool(recipient.email), bool(recipient.user_id))
            if recipient.data is None and shared in seen:
                continue
            if recipient.data is None:
                seen.add(shared)
            fault = self._fault(kind, submission, index, ids.given(recipient))
            if fault is not None:
                yield fault

    def _fault(
        self, kind: Kind, submission: Submission, index: int, recipient: Recipient
    ) -> Fault | None:
        data = recipient.data or {}
        variables = {**submission.payload, **data}
        own: tuple[str | int, ...] = ("recipients", index, "data")
        try:
            kind.check(variables)
        except PayloadRefused as refused:
            whose = own if refused.path and refused.path[0] in data else ("payload",)
            return Fault(pointer((*whose, *refused.path)), refused.detail)
        whose = own if data else ("payload",)
        if data and len(strict_json.text(variables).encode()) > MAX_PAYLOAD_BYTES:
            return Fault(pointer(whose), "makes the payload larger than 64 KiB")
        detail = self._preview.fault(kind, submission, recipient)
        return None if detail is None else Fault(pointer(whose), detail)


def _as_long_as_any(submission: Submission, devices: Sequence[Device]) -> Ids:
    recipients = submission.recipients
    sessions = [recipient.device_session_id or "" for recipient in recipients]
    return Ids(
        user=_longest(recipient.user_id or "" for recipient in recipients),
        session=_longest([*sessions, *(device.device_session_id for device in devices)]),
    )


def _longest(ids: Iterable[str]) -> str:
    return max(ids, key=lambda one: len(strict_json.text(one).encode()))
