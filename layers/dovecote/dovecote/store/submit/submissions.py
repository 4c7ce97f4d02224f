"""Store new notifications."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec.structs import replace

from dovecote.channels import lanes
from dovecote.channels.lanes import Lane
from dovecote.core.claim import Claim, Lease
from dovecote.core.device import UserDevice
from dovecote.core.notification import (
    SECRET,
    DevicesFound,
    NewNotification,
    PeopleErased,
    Stored,
    Submission,
)
from dovecote.core.route import NewRoute, Route, Status, Target
from dovecote.store.database import Database
from dovecote.store.person_hash import USER, PersonHash
from dovecote.store.queries import raw_rows
from dovecote.store.submit.notifications import PostgresNotifications

ADDRESS = "address"

Person = tuple[str, str]
"""A user or an address: the field of the route, and its value."""


class PostgresSubmissions(PostgresNotifications):
    """New notifications, the devices they go to, and earlier ones with the same key."""

    def __init__(
        self, database: Database, hashes: PersonHash, *, default_max_attempts: int
    ) -> None:
        super().__init__(database)
        self._hashes = hashes
        self._default_max_attempts = default_max_attempts

    def submit(
        self,
        notification: NewNotification,
        lease: Lease,
        *,
        unless_devices_of: Sequence[str] = (),
    ) -> Stored | None:
        """Store a notification with its routes in one statement; return None if its key is taken.

        Return None too if it comes from the inbox and is not pending there any more. Raises
        DevicesFound, with nothing stored, if one of those users has a live device, and
        PeopleErased, with nothing stored, if routes name people who were erased.
        """
        people = self._people(notification.routes)
        parameters = {
            **_parameters(notification, lease, unless_devices_of),
            "fingerprint": self.fingerprint(notification.submission),
            "routes": _routes_json(notification, people),
            "people": list(set(people.values())),
        }
        ((created_at, due_at, devices, suppressed, erased),) = self.database.ask(
            lambda connection: raw_rows(connection, "submit/submit", parameters)
        )
        if devices is not None:
            raise DevicesFound(msgspec.json.decode(devices, type=list[UserDevice]))
        if erased is not None:
            raise PeopleErased(
                _routes_of(notification.routes, people, msgspec.json.decode(erased, type=set[str]))
            )
        if created_at is None:
            return None
        rows = StoredRows(
            notification=notification,
            token=lease.token,
            default_max_attempts=self._default_max_attempts,
            created_at=created_at,
            due_at=due_at,
            suppressed=msgspec.json.decode(suppressed or "{}", type=dict[int, str]),
        )
        return rows.stored()

    def fingerprint(self, submission: Submission) -> bytes:
        """Return the fingerprint that the store keeps of a submission."""
        return self._hashes.fingerprint(submission.digest)

    def _people(self, routes: Sequence[NewRoute]) -> dict[Person, str]:
        """Return the hash of each user and address of routes, as PostgreSQL writes bytea."""
        named = {person for route in routes for person in _named(route)}
        return {person: rf"\x{self._hashes.of(*person).hex()}" for person in named}

    def devices(self, user_ids: Sequence[str]) -> list[UserDevice]:
        """Return the devices of these users, the oldest first."""
        return self._all(UserDevice, "submit/devices", user_ids=list(user_ids))


def _parameters(
    notification: NewNotification, lease: Lease, unless_devices_of: Sequence[str]
) -> dict[str, object]:
    submission = notification.submission
    return {
        "notification_id": notification.notification_id,
        "kind": submission.kind,
        "idempotency_key": submission.idempotency_key,
        "payload": submission.payload_text,
        "traceparent": submission.traceparent,
        "deliver_at": submission.deliver_at,
        "priority": lanes.PRIORITIES[notification.priority],
        "max_attempts": notification.max_attempts,
        "expires_in": notification.expires_in,
        "token": lease.token,
        "lease": lease.seconds,
        "unless_devices_of": list(unless_devices_of),
        "from_inbox": notification.from_inbox,
        "payload_days": notification.payload_days,
    }


def _named(route: NewRoute) -> Iterator[Person]:
    if route.user_id is not None:
        yield USER, route.user_id
    if route.address is not None:
        yield ADDRESS, route.address


def _routes_of(
    routes: Sequence[NewRoute], people: Mapping[Person, str], hashes: Collection[str]
) -> set[UUID]:
    """Return the ids of the routes that name a person with one of these hashes."""
    return {
        route.route_id
        for route in routes
        if any(people[person] in hashes for person in _named(route))
    }


def _routes_json(notification: NewNotification, people: Mapping[Person, str]) -> str:
    rows = [
        {
            "route_id": route.route_id,
            "position": position,
            "channel": route.channel,
            "lane": _lane(notification, route),
            "target": route.target,
            "user_id": route.user_id,
            "device_session_id": route.device_session_id,
            "address": route.address,
            "address_hash": people.get((ADDRESS, route.address or "")),
            "locale": route.locale,
            "data": route.data,
            "skip": route.skip,
            "claimed": route.claimed,
        }
        for position, route in enumerate(notification.routes)
    ]
    return msgspec.json.encode(rows).decode()


def _lane(notification: NewNotification, route: NewRoute) -> int:
    return Lane(
        channel=route.channel,
        priority=notification.priority,
        bucket=notification.bucket,
        scheduled=route.target is Target.USER,
    ).number


class StoredRows(msgspec.Struct, frozen=True, kw_only=True):
    """Computes the rows that a submit stored at `created_at`, without reading them again.

    The statement returns only the times and the suppressed routes. The result equals the rows that
    the function in schema/migrations/ wrote, to the microsecond; a test compares the two.

    `suppressed` has the reasons of the routes that were stored as skipped, by their positions.
    """

    notification: NewNotification
    token: UUID
    default_max_attempts: int
    created_at: datetime
    due_at: datetime
    suppressed: Mapping[int, str]

    def stored(self) -> Stored:
        """Return the routes, and the claims of those that submit tries at once."""
        return Stored(
            notification_id=self.notification.notification_id,
            kind=self.notification.submission.kind,
            created_at=self.created_at,
            routes=[self._route(route) for route in self._routes],
            claims=list(self._claims()),
        )

    @property
    def _routes(self) -> Sequence[NewRoute]:
        routes = self.notification.routes
        if not self.suppressed:
            return routes
        return [
            replace(route, skip=self.suppressed.get(place, route.skip))
            for place, route in enumerate(routes)
        ]

    @property
    def _max_attempts(self) -> int:
        most = self.notification.max_attempts
        return most if most > 0 else self.default_max_attempts

    @property
    def _expires_at(self) -> datetime:
        return self.due_at + timedelta(seconds=self.notification.expires_in)

    def _is_claimed(self, route: NewRoute) -> bool:
        return route.claimed and route.skip is None and self.due_at <= self.created_at

    def _route(self, route: NewRoute) -> Route:
        claimed, skipped = self._is_claimed(route), route.skip is not None
        return Route(
            route_id=route.route_id,
            channel=route.channel,
            status=Status.SKIPPED if skipped else Status.PENDING,
            user_id=route.user_id,
            device_session_id=route.device_session_id,
            address=route.address,
            attempts=int(claimed),
            max_attempts=self._max_attempts,
            next_attempt_at=None if skipped else self.due_at,
            last_attempt_at=self.created_at if claimed else None,
            last_error=route.skip,
            expires_at=self._expires_at,
            published_at=None,
            provider_message_id=None,
        )

    def _claims(self) -> Iterator[Claim]:
        submission = self.notification.submission
        for route in filter(self._is_claimed, self._routes):
            yield Claim(
                route_id=route.route_id,
                channel=route.channel,
                target=route.target,
                kind=submission.kind,
                idempotency_key=submission.idempotency_key,
                payload=submission.payload_text,
                traceparent=submission.traceparent,
                user_id=route.user_id,
                device_session_id=route.device_session_id,
                address=route.address,
                endpoint=route.endpoint,
                locale=route.locale,
                data=route.data,
                attempts=1,
                max_attempts=self._max_attempts,
                claims=1,
                counted=True,
                lapsed=False,
                in_doubt=False,
                expires_in=(self._expires_at - self.created_at).total_seconds(),
                lane=_lane(self.notification, route),
                due=self.due_at.timestamp(),
                suppressed=None,
                secret=self.notification.payload_days == SECRET,
                token=self.token,
            )
