"""Plan a notification: hold a submission against the catalog, and make its routes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from uuid import UUID

import msgspec

from dovecote.catalog.kinds import Catalog, Kind
from dovecote.channels.lanes import BUCKETS
from dovecote.channels.planning import Planner
from dovecote.core.claim import Lease
from dovecote.core.device import UserDevice
from dovecote.core.notification import (
    DevicesFound,
    NewNotification,
    PeopleErased,
    Recipient,
    Stored,
    Submission,
)
from dovecote.core.parsing import strict_json
from dovecote.core.ports import Clock
from dovecote.core.problems import Fault, Invalid, TooLarge
from dovecote.core.route import NewRoute
from dovecote.submit.checking import Checking, Ids, TemplatePreview
from dovecote.submit.erased import without
from dovecote.submit.ports import Submissions

MAX_ROUTES = 10_000
"""An answer of 16,000 routes would be over the 6 MiB that Lambda takes."""

MAX_DATA_BYTES = 8 * 1024 * 1024
"""The size of recipients' data in all routes of a notification."""

REFUSED = "The notification cannot be taken."


AS_LONG_AS_CAN_BE = Ids(user="x" * 255 * 4, session="x" * 255 * 4)
"""The bytes of 255 characters: UTF-8 makes four of one at most, JSON two of one that it escapes."""


class Routing(msgspec.Struct, frozen=True):
    """Plans the routes of a notification; `planners` has the planner of each channel."""

    planners: Mapping[str, Planner]

    def uses_devices(self, kind: Kind) -> bool:
        """Return whether the routes of a kind depend on the devices of its recipients."""
        return any(self.planners[channel].uses_devices for channel in kind.channels)

    def routes(
        self,
        kind: Kind,
        recipients: Sequence[Recipient],
        devices: Sequence[UserDevice],
        *,
        at_once: int,
    ) -> list[NewRoute]:
        """Return the routes of a notification in the order of its recipients.

        The first `at_once` of them that are not skipped are marked to be stored as claimed.
        """
        owned: dict[str, list[UserDevice]] = {}
        for device in devices:
            owned.setdefault(device.user_id, []).append(device)
        routes = [
            route
            for recipient in recipients
            for route in self._to(recipient, kind, owned.get(recipient.user_id or "", ()))
        ]
        triable = (route.route_id for route in routes if route.skip is None)
        tried = set(islice(triable, at_once))
        return [
            msgspec.structs.replace(r, claimed=True) if r.route_id in tried else r for r in routes
        ]

    def _to(
        self, recipient: Recipient, kind: Kind, devices: Sequence[UserDevice]
    ) -> Iterator[NewRoute]:
        """Yield the routes to one recipient; all share the one text of the recipient's data."""
        data = None if recipient.data is None else strict_json.text(recipient.data)
        for channel in kind.channels:
            for route in self.planners[channel].routes(recipient, devices):
                if route.names_person:
                    yield route if data is None else msgspec.structs.replace(route, data=data)
                else:  # it is never sent, and no erasure could find it
                    yield msgspec.structs.replace(route, device_session_id=None, locale=None)


class BuildNotification:
    """Turn a submission into what is to be stored."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        preview: TemplatePreview,
        routing: Routing,
        submissions: Submissions,
        new_id: Callable[[], UUID],
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._preview = preview
        self._routing = routing
        self._submissions = submissions
        self._new_id = new_id
        self._clock = clock

    def __call__(self, submission: Submission, *, at_once: int) -> NewNotification:
        """Return the notification to store, with its routes where nobody has a device.

        The first `at_once` of them are claimed, to be tried as soon as it is stored. Raises Invalid
        with the faults, or TooLarge.
        """
        kind = self._catalog.get(submission.kind)
        if kind is None:
            raise Invalid(REFUSED, [Fault("/kind", "is not in the catalog")])
        faults = self._faults(kind, submission)
        if faults:
            raise Invalid(REFUSED, faults)
        return NewNotification(
            notification_id=self._new_id(),
            submission=submission,
            routes=self._routes(submission, (), at_once),
            priority=kind.priority,
            bucket=kind.rank % BUCKETS,
            max_attempts=kind.max_attempts,
            expires_in=kind.time_to_live,
            payload_days=kind.payload_days,
        )

    def users(self, submission: Submission) -> list[str]:
        """Return the users whose devices decide on the routes of a notification."""
        if not self._routing.uses_devices(self._catalog[submission.kind]):
            return []
        return [r.user_id for r in submission.recipients if r.user_id is not None]

    def with_devices(
        self, notification: NewNotification, devices: Sequence[UserDevice], *, at_once: int
    ) -> NewNotification:
        """Return a planned notification with routes to these devices too; raise TooLarge."""
        routes = self._routes(notification.submission, devices, at_once)
        return msgspec.structs.replace(notification, routes=routes)

    def store(self, notification: NewNotification, lease: Lease, *, at_once: int) -> Stored | None:
        """Store a notification, with routes to the devices of its users where they have any.

        Erased people are left out. Return None if its key is taken. Raises TooLarge and StoreError.
        """
        users = self.users(notification.submission)
        while True:
            try:
                return self._submissions.submit(notification, lease, unless_devices_of=users)
            except DevicesFound as found:
                notification = self.with_devices(notification, found.devices, at_once=at_once)
                users = []
            except PeopleErased as found:
                notification = without(notification, found.route_ids)

    def _devices(self, submission: Submission) -> Sequence[UserDevice]:
        users = self.users(submission)
        return [d for d in self._submissions.devices(users) if not d.dead] if users else []

    def _routes(
        self, submission: Submission, devices: Sequence[UserDevice], at_once: int
    ) -> Sequence[NewRoute]:
        kind = self._catalog[submission.kind]
        routes = self._routing.routes(kind, submission.recipients, devices, at_once=at_once)
        if len(routes) > MAX_ROUTES:
            raise TooLarge(
                f"The recipients have so many devices that there are {len(routes)} routes; at most"
                f" {MAX_ROUTES} are stored. Send to fewer recipients in one notification."
            )
        if sum(len((route.data or "").encode()) for route in routes) > MAX_DATA_BYTES:
            raise TooLarge(
                "The recipients' data is stored for each of their devices, together more than"
                f" {MAX_DATA_BYTES // 1024**2} MiB. Send to fewer recipients in one notification."
            )
        return routes

    def _faults(self, kind: Kind, submission: Submission) -> Sequence[Fault]:
        """Return the faults; devices are read where a message does not fit with the longest ids."""
        checking = Checking(kind, submission, self._preview, self._clock)
        found = checking.find(AS_LONG_AS_CAN_BE)
        if found.faults or not found.oversized:
            return found.faults
        ids = _as_long_as_any(submission, self._devices(submission))
        return checking.find_oversized(found.oversized, ids)


def _as_long_as_any(submission: Submission, devices: Sequence[UserDevice]) -> Ids:
    recipients = submission.recipients
    sessions = [recipient.device_session_id or "" for recipient in recipients]
    return Ids(
        user=_longest(recipient.user_id or "" for recipient in recipients),
        session=_longest([*sessions, *(device.device_session_id for device in devices)]),
    )


def _longest(ids: Iterable[str]) -> str:
    return max(ids, key=lambda one: len(strict_json.text(one).encode()))
