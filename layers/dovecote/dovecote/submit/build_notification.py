"""Plan a notification: hold a submission against the catalog, and make its routes."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
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
from dovecote.core.route import NewRoute, Target
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


def owned(devices: Iterable[UserDevice]) -> Mapping[str, Sequence[UserDevice]]:
    """Return the devices of each user, in their order."""
    of_users: dict[str, list[UserDevice]] = {}
    for device in devices:
        of_users.setdefault(device.user_id, []).append(device)
    return of_users


class Routing(msgspec.Struct, frozen=True):
    """Plans the routes of a notification.

    `planners` has the planner of each channel, `address_fields` the field of a recipient by which
    the channel reaches the recipient.
    """

    planners: Mapping[str, Planner]
    address_fields: Mapping[str, str]

    def uses_devices(self, kind: Kind) -> bool:
        """Return whether the routes of a kind depend on the devices of its recipients."""
        return any(self.planners[channel].uses_devices for channel in kind.channels)

    def routes(
        self,
        kind: Kind,
        recipients: Sequence[Recipient],
        devices: Sequence[UserDevice] | None,
        *,
        at_once: int,
    ) -> list[NewRoute]:
        """Return the routes of a notification in the order of its recipients.

        Routes of repeated recipients to one address, device or topic are one route: the first. The
        first `at_once` routes that are not skipped are marked to be stored as claimed. Devices are
        None before a scheduled notification is due.
        """
        of_users = None if devices is None else owned(devices)
        routes = _once(self._distinct(kind, recipients, of_users))
        if of_users is None:
            return routes
        triable = (route.route_id for route in routes if route.skip is None)
        tried = set(islice(triable, at_once))
        return [
            msgspec.structs.replace(r, claimed=True) if r.route_id in tried else r for r in routes
        ]

    def _distinct(
        self,
        kind: Kind,
        recipients: Iterable[Recipient],
        devices: Mapping[str, Sequence[UserDevice]] | None,
    ) -> list[NewRoute]:
        """Return the first route to each address, device and topic."""
        routes: dict[Hashable, NewRoute] = {}
        for recipient in recipients:
            known = None if devices is None else devices.get(recipient.user_id or "", ())
            for whom, route in self._to(recipient, kind, known):
                key = (route.channel, route.target, whom, route.device_session_id)
                routes.setdefault(key, route)
        return list(routes.values())

    def _to(
        self, recipient: Recipient, kind: Kind, devices: Sequence[UserDevice] | None
    ) -> Iterator[tuple[Hashable, NewRoute]]:
        """Yield the routes to one recipient; all share the one text of the recipient's data."""
        data = None if recipient.data is None else strict_json.text(recipient.data)
        for channel in kind.channels:
            whom = _whom(recipient, self.address_fields[channel])
            for route in self.planners[channel].routes(recipient, devices):
                if route.names_person:
                    yield whom, route if data is None else msgspec.structs.replace(route, data=data)
                else:  # it is never sent, and no erasure could find it
                    yield whom, msgspec.structs.replace(route, device_session_id=None, locale=None)


def _whom(recipient: Recipient, field: str) -> Hashable:
    """Return what repeated recipients have in common on a channel with this address field.

    An address counts as it was submitted: a redirect sends many to one mailbox. Without one, the
    user counts, or all other addresses.
    """
    own = recipient.addresses.get(field)
    if own is not None:
        return _one_case(own)
    return recipient.user_id or frozenset(map(_one_case, recipient.addresses.values()))


def _one_case(address: str) -> bytes:
    """Return an address in lower case, as PersonHash does."""
    return address.encode().lower()


def _once(routes: Sequence[NewRoute]) -> list[NewRoute]:
    """Leave out a route for one device of a user where another is for all devices of the user.

    Such routes go to the user, go to the topic, or are skipped.
    """
    for_all = {(r.channel, r.target, r.user_id) for r in routes if r.device_session_id is None}
    return [
        route
        for route in routes
        if route.device_session_id is None
        or (route.channel, route.target, route.user_id) not in for_all
    ]


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
        now: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._preview = preview
        self._routing = routing
        self._submissions = submissions
        self._new_id = new_id
        self._clock = clock
        self._now = now  # in seconds since 1970

    def __call__(self, submission: Submission, *, at_once: int) -> NewNotification:
        """Return the notification to store, with its routes where nobody has a device.

        The first `at_once` of them are claimed, to be tried as soon as it is stored. Routes to
        users stand for those to their devices where it is scheduled. Raises Invalid with the
        faults, or TooLarge.
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
            routes=self._routes(submission, None if self._waits(submission) else (), at_once),
            priority=kind.priority,
            bucket=kind.rank % BUCKETS,
            max_attempts=kind.max_attempts,
            expires_in=kind.time_to_live,
            payload_days=kind.payload_days,
        )

    def users(self, notification: NewNotification) -> list[str]:
        """Return the users whose devices decide on the routes of a planned notification now."""
        if any(route.target is Target.USER for route in notification.routes):
            return []
        return self._users(notification.submission)

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
        users = self.users(notification)
        while True:
            try:
                return self._submissions.submit(notification, lease, unless_devices_of=users)
            except DevicesFound as found:
                notification = self.with_devices(notification, found.devices, at_once=at_once)
                users = []
            except PeopleErased as found:
                notification = without(notification, found.route_ids)

    def _waits(self, submission: Submission) -> bool:
        """Return whether a notification is scheduled: its devices are those of its due time."""
        at = submission.deliver_at
        return at is not None and at.timestamp() > self._now()

    def _users(self, submission: Submission) -> list[str]:
        if not self._routing.uses_devices(self._catalog[submission.kind]):
            return []
        return [r.user_id for r in submission.recipients if r.user_id is not None]

    def _devices(self, submission: Submission) -> Sequence[UserDevice]:
        users = [] if self._waits(submission) else self._users(submission)
        return [d for d in self._submissions.devices(users) if not d.dead] if users else []

    def _routes(
        self, submission: Submission, devices: Sequence[UserDevice] | None, at_once: int
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
        unnamed = AS_LONG_AS_CAN_BE.session if self._waits(submission) else ""
        ids = _as_long_as_any(submission, self._devices(submission), unnamed)
        return checking.find_oversized(found.oversized, ids)


def _as_long_as_any(submission: Submission, devices: Sequence[UserDevice], unnamed: str) -> Ids:
    """Return the longest ids; `unnamed` stands for a device that no recipient names."""
    recipients = submission.recipients
    sessions = [recipient.device_session_id or unnamed for recipient in recipients]
    return Ids(
        user=_longest(recipient.user_id or "" for recipient in recipients),
        session=_longest([*sessions, *(device.device_session_id for device in devices)]),
    )


def _longest(ids: Iterable[str]) -> str:
    return max(ids, key=lambda one: len(strict_json.text(one).encode()))
