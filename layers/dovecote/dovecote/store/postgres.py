"""The store on PostgreSQL: each method runs the statement of its name in sql/."""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, overload
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import dict_row

from dovecote.core import lanes
from dovecote.core.channel_state import (
    Backlog,
    ChannelState,
    Congested,
    Pause,
    SendSlots,
    Throttling,
)
from dovecote.core.claim import Claim, Lease
from dovecote.core.device import Device
from dovecote.core.feedback import Feedback
from dovecote.core.notification import Cancellation, NewNotification, Notification
from dovecote.core.route import NewRoute, Route, Status
from dovecote.core.stored import DevicesFound, Stored
from dovecote.core.transitions import DeadLetter, Deferral, Doubt, Retry
from dovecote.dispatch.ports import Claimed, LaneResult
from dovecote.operations.gauges import Gauges
from dovecote.store.acceptances import in_order, record, record_further
from dovecote.store.database import Database, Opened
from dovecote.store.devices import bury
from dovecote.store.feedback import record_feedback
from dovecote.store.raw_query import RawQuery
from dovecote.store.rows import rows as _rows
from dovecote.store.statements import statement
from dovecote.store.stored import StoredBuilder

LANE, DUE = (Claim.__struct_fields__.index(name) - 1 for name in ("lane", "due"))
"""The columns of sql/claimed.sql that a claim is summed up by."""

EVER = -math.inf


class PostgresTransaction:
    """What the finaliser may write; the caller of `transaction` commits."""

    def __init__(self, connection: Opened) -> None:
        self._connection = connection

    def publish(self, token: UUID, message_ids: Mapping[UUID, str]) -> int:
        """Make routes published; return how many."""
        return self._do("publish", token=token, message_ids=_json(message_ids))

    def record_acceptances(self, acceptances: Iterable[tuple[str, UUID, str]]) -> None:
        """Put accepted emails on record."""
        record(
            self._connection,
            [(template, str(route), message) for template, route, message in acceptances],
        )

    def retry(self, token: UUID, retries: Mapping[UUID, Retry | Doubt]) -> dict[UUID, datetime]:
        """Make routes due again, in doubt where there is a hold; return when each is."""
        rows = self._rows("retry", token=token, retries=_json(retries))
        return {row["route_id"]: row["next_attempt_at"] for row in rows}

    def dead_letter(self, token: UUID, ends: Mapping[UUID, DeadLetter]) -> set[UUID]:
        """Make routes dead letters, each with its row."""
        return {row["route_id"] for row in self._rows("dead_letter", token=token, ends=_json(ends))}

    def skip(self, token: UUID, reasons: Mapping[UUID, str]) -> set[UUID]:
        """Make routes skipped."""
        return {row["route_id"] for row in self._rows("skip", token=token, reasons=_json(reasons))}

    def give_back(
        self,
        token: UUID,
        route_ids: Sequence[UUID],
        *,
        lapsed: bool,
        hold: float,
        behind: str | None = None,
        delay: float = 0.0,
    ) -> int:
        """Give routes back that were not begun; return how many."""
        return self._do(
            "give_back",
            token=token,
            route_ids=list(route_ids),
            lapsed=lapsed,
            hold=hold,
            behind=behind,
            delay=delay,
        )

    def defer(
        self,
        token: UUID,
        deferrals: Mapping[UUID, Deferral],
        *,
        lapsed: bool,
        hold: float,
        behind: str,
    ) -> int:
        """Give refused routes back, each due after those that wait; return how many."""
        return self._do(
            "defer",
            token=token,
            deferrals=_json(deferrals),
            lapsed=lapsed,
            hold=hold,
            behind=behind,
        )

    def mark_device_dead(self, endpoint: str, route_id: UUID) -> None:
        """Mark the device of an endpoint dead, unless it registered after the route's attempt."""
        (attempt,) = self._rows("attempted_at", route_id=route_id) or [{"last_attempt_at": None}]
        bury(self._connection, endpoint, attempt["last_attempt_at"])

    def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        return _rows(self._connection, name, parameters)

    def _do(self, name: str, **parameters: object) -> int:
        return self._connection.execute(statement(name), parameters).rowcount


class PostgresClaimed(Claimed):
    """Claimed routes, in PostgreSQL's binary format, decoded by the thread that first looks at one.

    While it does, the connection may ask something else.
    """

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]], token: UUID) -> None:
        self._cursor = cursor
        self._token = token
        self._count = cursor.rowcount
        self._claims: list[Claim] | None = None

    @property
    def by_lane(self) -> Mapping[int, LaneResult]:
        """Return what there is of each lane, without decoding the routes."""
        due: dict[bytes, list[bytes]] = {}
        result = self._cursor.pgresult
        if result is not None:
            value: Callable[[int, int], Any] = result.get_value
            for row in range(self._count):
                due.setdefault(value(row, LANE), []).append(value(row, DUE))
        return {int.from_bytes(lane): _part(times) for lane, times in due.items()}

    def __len__(self) -> int:
        """Return how many were claimed."""
        return self._count

    @overload
    def __getitem__(self, place: int) -> Claim: ...

    @overload
    def __getitem__(self, place: slice) -> list[Claim]: ...

    def __getitem__(self, place: int | slice) -> Claim | list[Claim]:
        """Return a claim."""
        return self._decoded()[place]

    def __iter__(self) -> Iterator[Claim]:
        """Go through the claims."""
        return iter(self._decoded())

    def _decoded(self) -> list[Claim]:
        if self._claims is None:
            self._claims = [Claim(self._token, *row) for row in self._cursor.fetchall()]
        return self._claims


class PostgresStore:
    """Notifications, routes and devices in the schema `dovecote`."""

    def __init__(self, database: Database, *, default_max_attempts: int) -> None:
        self._database = database
        self._default_max_attempts = default_max_attempts

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Bound all that this thread asks of the store in the context."""
        return self._database.within(seconds)

    def spending(self, seconds: float) -> AbstractContextManager[None]:
        """Bound the time that this thread spends in the database in the context."""
        return self._database.spending(seconds)

    def submit(
        self,
        notification: NewNotification,
        lease: Lease,
        *,
        unless_devices_of: Sequence[str] = (),
    ) -> Stored | None:
        """Store a notification with its routes in one statement; None where its key is taken.

        Raises DevicesFound, with nothing stored, where one of those users has a live device.
        """
        parameters = self._submission(notification, lease, unless_devices_of)
        ((created_at, due_at, devices, suppressed),) = self._database.ask(
            lambda connection: RawQuery(connection, "submit", parameters).rows()
        )
        if devices is not None:
            raise DevicesFound(msgspec.json.decode(devices, type=list[Device]))
        if created_at is None:
            return None
        storing = StoredBuilder(
            notification=notification,
            token=lease.token,
            default_max_attempts=self._default_max_attempts,
            created_at=created_at,
            due_at=due_at,
            suppressed=msgspec.json.decode(suppressed or "{}", type=dict[int, str]),
        )
        return storing.stored()

    def find(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds this key within its kind."""
        rows = self._rows("find", kind=kind, idempotency_key=idempotency_key)
        return self.notification(rows[0]["notification_id"]) if rows else None

    def notification(self, notification_id: UUID) -> Notification | None:
        """Return a notification with its routes."""
        parameters = {"notification_id": notification_id}

        def work(connection: Opened) -> Notification | None:
            rows = _rows(connection, "notification", parameters)
            routes = [Route(**row) for row in _rows(connection, "routes", parameters)]
            return Notification(**rows[0], routes=routes) if rows else None

        return self._database.ask(work)

    def claim(
        self, channel: str, lanes: Mapping[int, int], lease: Lease, since: Mapping[int, float]
    ) -> tuple[PostgresClaimed, ChannelState]:
        """Claim due routes, at most so many of each lane, and none that was due before `since`.

        Returns also how the channel stands after that, in the same round trip.
        """
        parameters = self._claiming(lease, _wanted(lanes, since))

        def work(connection: Opened) -> tuple[psycopg.Cursor[Any], psycopg.Cursor[Any]]:
            with connection.pipeline():
                claimed = connection.execute(statement("claim"), parameters, binary=True)
                channel_state = connection.cursor(row_factory=dict_row)
                return claimed, channel_state.execute(
                    statement("channel_state"), {"channel": channel}
                )

        claimed, channel_state = self._database.ask(work)
        return PostgresClaimed(claimed, lease.token), _standing(channel, channel_state.fetchall())

    def claim_lapsed(self, lanes: Sequence[int], lease: Lease, *, hold: float) -> PostgresClaimed:
        """Claim at most one route of these lanes whose lease ran out, and with it the hold."""
        return self._claim("claim_lapsed", lease, lanes=list(lanes), hold=hold)

    def claim_expired(
        self, lanes: Sequence[int], lease: Lease, *, hold: float, limit: int
    ) -> PostgresClaimed:
        """Claim routes of these lanes that are past their time, to be ended."""
        return self._claim("claim_expired", lease, lanes=list(lanes), hold=hold, limit=limit)

    def accepted(self, routes: Sequence[tuple[str, UUID]]) -> dict[UUID, str]:
        """Return the message ids of those emails (template, route) that are on record."""
        rows = self._rows(
            "accepted",
            template_ids=[template for template, _ in routes],
            keys=[str(route_id) for _, route_id in routes],
        )
        return {UUID(row["idempotency_key"]): row["message_id"] for row in rows}

    def publish(
        self,
        token: UUID,
        message_ids: Mapping[UUID, str],
        acceptances: Sequence[tuple[str, UUID, str]],
    ) -> int:
        """Put accepted emails on record and make routes published, in one round trip.

        Returns how many were published. All is committed, or nothing.
        """
        emails = in_order((kind, str(route), message) for kind, route, message in acceptances)
        parameters = {**emails, "token": token, "message_ids": _json(message_ids)}

        def work(connection: Opened) -> int:
            ((recorded, published),) = RawQuery(connection, "publish_accepted", parameters).rows()
            if recorded < len(acceptances):
                # An earlier attempt sent it too. If this is lost, SES's event of it records it.
                record_further(connection, emails)
            return int(published)

        return self._database.ask(work)

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Open a transaction; it commits when the context ends well."""
        with self._database.transaction() as connection:
            yield PostgresTransaction(connection)

    def cancel(self, notification_id: UUID) -> Cancellation | None:
        """Cancel what is still to be sent; None where there is no such notification.

        What an earlier call cancelled counts again: the answer to its commit may have been lost.
        """
        parameters = {"notification_id": notification_id}

        def work(connection: Opened) -> list[dict[str, Any]]:
            connection.execute(statement("cancel"), parameters)
            return _rows(connection, "routes", parameters)

        routes = self._database.run(work)
        cancelled = sum(row["status"] == Status.CANCELLED for row in routes)
        in_flight = sum(row["next_attempt_at"] is not None for row in routes)
        if not routes:
            return None
        return Cancellation(
            cancelled=cancelled, in_flight=in_flight, ended=len(routes) - cancelled - in_flight
        )

    def tell(self, feedback: Feedback) -> bool:
        """Write down what the provider told of a send; return whether its route changed."""
        return bool(self._database.run(lambda connection: record_feedback(connection, feedback)))

    def mark_device_dead(self, endpoint: str, reported_at: datetime) -> bool:
        """Mark a device dead that the provider told of; return whether that was news."""
        return self._database.run(lambda connection: bury(connection, endpoint, reported_at))

    def channel_state(self, channel: str) -> ChannelState:
        """Return how a channel and its resources stand."""
        return _standing(channel, self._rows("channel_state", channel=channel))

    def reserve(self, channel: str, wanted: int, horizon: float) -> SendSlots:
        """Reserve the next sends of a channel that begin within `horizon` seconds."""
        rows = self._rows("reserve", channel=channel, wanted=wanted, horizon=horizon)
        return SendSlots(**rows[0]) if rows else SendSlots(room=wanted)

    def release_slots(self, channel: str, slots: SendSlots, unused: int) -> None:
        """Give back the last of the reserved sends."""
        self._do(
            "release_slots", channel=channel, slots=slots.slots, seconds=unused * slots.spacing
        )

    def set_rate(self, channel: str, rate: float | None) -> None:
        """Keep how much a channel may send a second; None where the provider did not say."""
        self._do("set_rate", channel=channel, rate=rate)

    def pause(
        self,
        resource: str,
        error: str,
        *,
        base: float,
        most: float,
        jitter: float,
        longer: bool = True,
    ) -> Pause | None:
        """Pause a resource for all workers; None where it is paused already."""
        rows = self._rows(
            "pause",
            resource=resource,
            channel=resource.partition("/")[0],
            error=error,
            base=base,
            most=most,
            jitter=jitter,
            longer=longer,
        )
        return Pause(**rows[0]) if rows else None

    def acquire_probe(self, resource: str, seconds: float) -> bool:
        """Take the right to probe a resource after its pause."""
        return bool(self._rows("acquire_probe", resource=resource, seconds=seconds))

    def release_probe(self, resource: str) -> None:
        """Give that right back."""
        self._do("release_probe", resource=resource)

    def resume(self, resource: str, *, accepted: bool = False) -> bool:
        """End the trouble of a resource; return whether it is not paused again."""
        return bool(self._rows("resume", resource=resource, accepted=accepted))

    def record_refusals(self, resource: str, refused: Sequence[UUID], *, proven: bool) -> None:
        """Remember routes that were refused in a row; `proven` where others were accepted."""
        self._do(
            "record_refusals",
            resource=resource,
            channel=resource.partition("/")[0],
            refused=list(refused),
            proven=proven,
        )

    def record_throttling(
        self, channel: str, counts: Mapping[str, int], congested: Congested | None
    ) -> float | None:
        """Count answers for all workers; where congested, lower the pace."""
        said = congested or Congested(pace=0, accepted_share=1, probing=False, since=None)
        rows = self._rows(
            "record_throttling",
            channel=channel,
            congested=congested is not None,
            **counts,
            **msgspec.structs.asdict(said),
        )
        return rows[0]["slowed_to"] if rows else None

    def record_failures(self, channel: str, *, unreached: int, unanswered: Sequence[UUID]) -> None:
        """Count what failed in a row on a channel."""
        self._do(
            "record_failures", channel=channel, unreached=unreached, unanswered=list(unanswered)
        )

    def gauges(self) -> Gauges:
        """Return what alarms look at."""
        numbers = [lane.number for lane in lanes.ALL]
        channels = [lane.channel for lane in lanes.ALL]
        return Gauges(**self._rows("gauges", lanes=numbers, channels=channels)[0])

    def backlog(self, most: int) -> list[Backlog]:
        """Return what is due of the channels that do not pause, each counted to `most`."""
        rows = self._rows(
            "backlog",
            channels=[lane.channel for lane in lanes.ALL],
            lanes=[lane.number for lane in lanes.ALL],
            most=most,
        )
        return [Backlog(**row) for row in rows]

    def wake_up(self, channels: Sequence[str]) -> bool:
        """Take the right to call dispatch, for a second; never where all the channels pause."""
        return bool(self._rows("wake_up", channels=list(channels)))

    def hold_wake_up(self, seconds: float) -> None:
        """Keep that right from everybody for so many seconds."""
        self._do("hold_wake_up", seconds=seconds)

    def devices(self, user_ids: Sequence[str]) -> list[Device]:
        """Return the devices of these users, the oldest first."""
        return [Device(**row) for row in self._rows("devices", user_ids=list(user_ids))]

    def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        return self._database.ask(lambda connection: _rows(connection, name, parameters))

    def _do(self, name: str, **parameters: object) -> None:
        self._database.ask(lambda connection: connection.execute(statement(name), parameters))

    def _claim(self, name: str, lease: Lease, **parameters: object) -> PostgresClaimed:
        told = self._claiming(lease, parameters)
        cursor = self._database.ask(
            lambda connection: connection.execute(statement(name), told, binary=True)
        )
        return PostgresClaimed(cursor, lease.token)

    def _claiming(self, lease: Lease, parameters: Mapping[str, object]) -> dict[str, object]:
        return {
            **parameters,
            "token": lease.token,
            "lease": lease.seconds,
            "default_max_attempts": self._default_max_attempts,
        }

    def _submission(
        self, notification: NewNotification, lease: Lease, unless_devices_of: Sequence[str]
    ) -> dict[str, object]:
        submission = notification.submission
        return {
            "notification_id": notification.notification_id,
            "kind": submission.kind,
            "idempotency_key": submission.idempotency_key,
            "fingerprint": submission.fingerprint,
            "payload": submission.payload_text,
            "traceparent": submission.traceparent,
            "deliver_at": submission.deliver_at,
            "priority": lanes.PRIORITIES[notification.priority],
            "max_attempts": notification.max_attempts,
            "expires_in": notification.expires_in,
            "token": lease.token,
            "lease": lease.seconds,
            "routes": _routes_json(notification.routes),
            "unless_devices_of": list(unless_devices_of),
        }


def _wanted(lanes: Mapping[int, int], since: Mapping[int, float]) -> dict[str, object]:
    return {
        "lanes": list(lanes),
        "limits": list(lanes.values()),
        "since": [since.get(lane, EVER) for lane in lanes],
    }


def _part(due: Sequence[bytes]) -> LaneResult:
    """Return what routes come to whose times are so many float8, as PostgreSQL sends them."""
    times = struct.unpack(f">{len(due)}d", b"".join(due))
    return LaneResult(count=len(times), until=max(times))


def _standing(channel: str, rows: Sequence[Mapping[str, Any]]) -> ChannelState:
    whole = next(row for row in rows if row["resource"] == channel)
    return ChannelState(
        channel=channel,
        paused=frozenset(row["resource"] for row in rows if row["paused"]),
        recovering=frozenset(row["resource"] for row in rows if row["recovering"]),
        unreached=whole["unreached"],
        unanswered=frozenset(whole["unanswered"]),
        paused_for=whole["paused_for"],
        rate=whole["rate"],
        rate_is_old=whole["rate_is_old"],
        throttling=Throttling(
            requests=whole["throttled_requests"],
            entries=whole["throttled_entries"],
            limited=whole["limited"],
            probing=whole["limited"] and whole["probing"],
            since=whole["slowed_at"],
        ),
        refused={row["resource"]: frozenset(row["refused"]) for row in rows if row["refused"]},
        proven=frozenset(row["resource"] for row in rows if row["proven"]),
        awaited_for=min(
            (row["awaited_for"] for row in rows if row["awaited_for"] is not None), default=None
        ),
    )


def _json(said: object) -> str:
    """Return what is said of routes as one JSON text; msgspec takes their ids as they are."""
    return msgspec.json.encode(said).decode()


def _routes_json(routes: Sequence[NewRoute]) -> str:
    rows = [
        {
            "route_id": route.route_id,
            "position": position,
            "channel": route.channel,
            "target": route.target,
            "user_id": route.user_id,
            "device_session_id": route.device_session_id,
            "resolved_email": route.resolved_email,
            "locale": route.locale,
            "data": route.data,
            "skip": route.skip,
            "claimed": route.claimed,
        }
        for position, route in enumerate(routes)
    ]
    return _json(rows)
