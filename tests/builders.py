"""Things to test with: submissions, notifications, small fakes for the edges."""

import math
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from dovecote.aws.telemetry import no_span
from dovecote.channels import NAMES, every, lanes
from dovecote.channels.base import Prepared, Reply
from dovecote.core.backoff import Backoff
from dovecote.core.claim import Claim, Lease
from dovecote.core.dead_letter import Redrive
from dovecote.core.notification import Cancellation, NewNotification, Priority, Stored, Submission
from dovecote.core.outcome import Delivered, Outcome
from dovecote.core.parsing import strict_json
from dovecote.core.ports import Clock, Sleep
from dovecote.core.route import NewRoute, Target
from dovecote.core.transitions import Refusal
from dovecote.dispatch.cursors import LaneCursors
from dovecote.dispatch.deliver import Deliver
from dovecote.dispatch.dispatch import Dispatch
from dovecote.dispatch.finalise import Finaliser
from dovecote.dispatch.lapsed import LapsedSearch
from dovecote.dispatch.pauses import Pauses
from dovecote.dispatch.ports import Claimed
from dovecote.dispatch.sending.sender import Sender
from dovecote.dispatch.services import Rates, Services, Timing
from dovecote.store.operations.dead_letters import PostgresDeadLetters
from tests.canary import CANARY
from tests.store import Store

CHANNEL = NAMES[0]
"""The channel of tests that need one, whichever it is."""

ADDRESSED = {name for name, one in every().items() if one.address_field != "user_id"}
"""The channels whose routes go to an address."""

KIND = "order.shipped"
ADDRESS = f"success+{CANARY}@simulator.amazonses.com"
BACKOFF = Backoff(base=30, factor=2, maximum=3600, jitter=0.2)


def middle() -> float:
    """Be the chance that leaves a delay as it is."""
    return 0.5


def a_submission(
    *,
    kind: str = KIND,
    key: str | None = None,
    payload: dict[str, Any] | None = None,
    deliver_at: datetime | None = None,
    traceparent: str | None = None,
) -> Submission:
    payload = {"order_id": f"{CANARY}-1234"} if payload is None else payload
    return Submission(
        kind=kind,
        idempotency_key=key or uuid.uuid4().hex,
        payload=payload,
        payload_text=strict_json.text(payload),
        recipients=(),
        deliver_at=deliver_at,
        digest="f" * 64,
        traceparent=traceparent,
    )


def a_route(channel: str = CHANNEL, **overrides: Any) -> NewRoute:
    addressed = channel in ADDRESSED
    values: dict[str, Any] = {
        "route_id": uuid.uuid4(),
        "channel": channel,
        "target": Target.ADDRESS if addressed else Target.TOPIC,
        "user_id": "u-1",
        "device_session_id": None,
        "address": ADDRESS if addressed else None,
        "locale": None,
        "data": None,
    }
    return NewRoute(**(values | overrides))


def a_notification(
    routes: Sequence[NewRoute] = (),
    *,
    submission: Submission | None = None,
    priority: Priority = Priority.NORMAL,
    bucket: int = 0,
    max_attempts: int = 3,
    expires_in: float = 3600,
) -> NewNotification:
    return NewNotification(
        notification_id=uuid.uuid4(),
        submission=submission or a_submission(),
        routes=routes or [a_route()],
        priority=priority,
        bucket=bucket,
        max_attempts=max_attempts,
        expires_in=expires_in,
    )


def a_lease(seconds: float = 60) -> Lease:
    return Lease(token=uuid.uuid4(), seconds=seconds)


def store_routes(store: Store, count: int, channel: str = CHANNEL, **more: Any) -> None:
    """Store one notification with so many routes."""
    assert store.submit(a_notification([a_route(channel) for _ in range(count)], **more), a_lease())


def enter_people(connection: psycopg.Connection[Any]) -> None:
    """Enter whose the routes are that a test stored, or changed, by SQL of its own."""
    connection.execute(
        "insert into dovecote.user_routes select user_id, notification_id, route_id"
        " from dovecote.notification_routes where user_id is not null on conflict do nothing"
    )
    connection.execute(
        "insert into dovecote.address_routes"
        " select address_hash, notification_id, route_id"
        " from dovecote.notification_routes where address_hash is not null"
        " on conflict do nothing"
    )


def misfiled(connection: psycopg.Connection[Any]) -> list[Any]:
    """Return the entries of people that are missing, and those that were left behind."""
    return connection.execute(
        "with own as ("
        '  select user_id collate "C", notification_id, route_id'
        "  from dovecote.notification_routes where user_id is not null"
        "  union all select encode(address_hash, 'hex'), notification_id, route_id"
        "  from dovecote.notification_routes where address is not null"
        " ), entered as ("
        '  select user_id collate "C", notification_id, route_id from dovecote.user_routes'
        "  union all select encode(address_hash, 'hex'), notification_id, route_id"
        "  from dovecote.address_routes"
        " ) (table own except all table entered) union all (table entered except all table own)"
    ).fetchall()


def stored(store: Store, notification: NewNotification, lease: Lease | None = None) -> Stored:
    """Store a notification whose key is free."""
    result = store.submit(notification, lease or a_lease())
    assert result is not None
    return result


def fresh(
    store: Store, lanes: Mapping[int, int], lease: Lease, since: Mapping[int, float] | None = None
) -> Claimed:
    """Claim so many of each lane."""
    cursors = LaneCursors(since=dict(since or {}), until=math.inf if since else -math.inf)
    return store.claim(CHANNEL, lanes, lease, cursors)[0]


def claim_all(store: Store, seconds: float = 60, batch: int = 1000) -> list[Claim]:
    """Claim whatever is due and in nobody's hands."""
    return list(fresh(store, {lane.number: batch for lane in lanes.ALL}, a_lease(seconds)))


def cancel(store: Store, claim: Claim) -> Cancellation | None:
    """Cancel the notification of a claim."""
    notification = store.find(claim.kind, claim.idempotency_key)
    assert notification is not None
    return store.cancel(notification.notification_id)


def claim_lapsed(store: Store, channel: str = CHANNEL, hold: float = 0) -> Claim | None:
    """Claim a route of a channel whose lease, and hold, ran out."""
    numbers = [lane.number for lane in lanes.of(channel)]
    search = LapsedSearch()
    search.look(numbers, partial(store.examine, hold=hold))
    return next(iter(store.claim_lapsed(search.found, a_lease(), hold=hold)), None)


def a_redrive(**overrides: Any) -> Redrive:
    return Redrive(redrive_id=uuid.uuid4(), who="an operator", filter={}, **overrides)


def redrive_one(
    store: Store, route_id: UUID, expires_at: datetime | None = None
) -> UUID | Refusal | None:
    """Redrive one dead letter in the store's database."""
    letters = PostgresDeadLetters(store.database)
    return letters.redrive(a_redrive(expires_at=expires_at), route_id)


@dataclass
class RecordingLog:
    """Keeps what was logged: level, message, fields."""

    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def debug(self, message: str, /, **fields: Any) -> None:
        self.lines.append(("debug", message, fields))

    def info(self, message: str, /, **fields: Any) -> None:
        self.lines.append(("info", message, fields))

    def warning(self, message: str, /, **fields: Any) -> None:
        self.lines.append(("warning", message, fields))

    def error(self, message: str, /, **fields: Any) -> None:
        self.lines.append(("error", message, fields))

    def levels(self) -> set[str]:
        return {level for level, _, _ in self.lines}


def accept(_claim: Claim) -> Outcome:
    return Delivered(message_id=f"m-{uuid.uuid4()}")


@dataclass
class ScriptedChannel:
    """Answers each claim by a function, and remembers the routes that it was asked to send."""

    answer: Callable[[Claim], Outcome] = accept
    asked: list[UUID] = field(default_factory=list)
    hold_seconds: float = 0.0
    keeps_acceptances: bool = True
    batch_size: int = 1
    max_size: int = 0
    per_second: float | None = None
    rate_from_provider: bool = False

    def connect(self) -> None:
        pass

    def resources(self, claim: Claim) -> Sequence[str]:
        return (claim.channel,)

    def batch_key(self, _claim: Claim) -> Hashable | None:
        return None

    def prepare(self, claim: Claim) -> Prepared | Outcome:
        return Prepared(claim=claim)

    def send(self, messages: Sequence[Prepared]) -> Iterable[Reply]:
        for message in messages:
            self.asked.append(message.claim.route_id)
            yield [message.claim], self.answer(message.claim)

    def rate(self) -> float | None:
        return self.per_second


NO_HOLDS: Mapping[str, float] = dict.fromkeys(NAMES, 0.0)


def channels_of(
    channel: ScriptedChannel, holds: Mapping[str, float] = NO_HOLDS, rate: float | None = None
) -> dict[str, ScriptedChannel]:
    """Return a channel under each name; each has a hold, and the first has a rate."""
    channels = {name: copy(channel) for name in NAMES}
    for name, one in channels.items():
        one.hold_seconds, one.keeps_acceptances = holds[name], name == CHANNEL
    channels[CHANNEL].per_second = rate
    return channels


def a_sender(
    channel: ScriptedChannel,
    clock: Clock = lambda: 0.0,
    kind: type[Sender] = Sender,
    send_seconds: float = 1,
) -> Sender:
    """Return a sender with one thread, which waits for no slot."""
    return kind(
        channel=channel,
        workers=1,
        send_seconds=send_seconds,
        clock=clock,
        sleep=lambda _: None,
        span=no_span,
        sent=lambda _: None,
    )


def a_finaliser(
    log: RecordingLog | None = None,
    backoff: Backoff = BACKOFF,
    holds: Mapping[str, float] = NO_HOLDS,
) -> Finaliser:
    return Finaliser(
        backoff=backoff,
        channels=channels_of(ScriptedChannel(), holds),
        pauses=Pauses(base=2, most=300, random=middle, log=log or RecordingLog()),
        random=middle,
        log=log or RecordingLog(),
        clock=time.monotonic,
        sleep=time.sleep,
        measure=lambda _: None,
    )


def a_deliver(
    store: Store,
    channel: ScriptedChannel,
    clock: Clock = lambda: 0.0,
    kind: type[Sender] = Sender,
    send_seconds: float = 1,
) -> Deliver:
    """Deliver through one channel, whichever the claims name."""
    senders = {
        name: a_sender(one, clock, kind, send_seconds) for name, one in channels_of(channel).items()
    }
    return Deliver(
        store=store,
        senders=senders,
        clock=clock,
        send_seconds=send_seconds,
        span=no_span,
    )


def a_dispatch(
    store: Store,
    channel: ScriptedChannel,
    *,
    log: RecordingLog | None = None,
    backoff: Backoff = BACKOFF,
    batch_size: int = 100,
    lease_seconds: float = 60,
    send_seconds: float = 1,
    clock: Clock = lambda: 0.0,
    sleep: Sleep = time.sleep,
    holds: Mapping[str, float] = NO_HOLDS,
    rate: float = 1e5,
    kind: type[Sender] = Sender,
) -> Dispatch:
    """Make a dispatcher on a real store, with one channel for all; its clock stands still."""
    log = log or RecordingLog()
    channels = channels_of(channel, holds, rate)
    return Dispatch(
        Services(
            store=store,
            channels=channels,
            deliver=a_deliver(store, channel, clock, kind, send_seconds),
            finaliser=a_finaliser(log, backoff, holds),
            rates=Rates(store=store, channels=channels, log=log),
            clock=clock,
            sleep=sleep,
            random=middle,
            log=log,
            new_id=uuid.uuid4,
            timing=Timing(
                batch_size=batch_size, lease_seconds=lease_seconds, send_seconds=send_seconds
            ),
        )
    )


def forever() -> float:
    """Leave a run all the time that it may want."""
    return 90.0
