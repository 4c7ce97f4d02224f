"""The words of Dovecote: what is stored, claimed and delivered.

Most are Structs of msgspec: to define a frozen dataclass takes a cold start ten times as long.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec

MAX_PAYLOAD_BYTES = 64 * 1024
"""How large a payload may be as it is stored, with a recipient's data merged over it."""


class Channel(StrEnum):
    """A way to reach a recipient."""

    EMAIL = "email"
    PUSH = "push"


class Target(StrEnum):
    """What a route delivers to: an email address, one device, or the push topic."""

    ADDRESS = "address"
    DEVICE = "device"
    TOPIC = "topic"


class Status(StrEnum):
    """Where a route is in its life; only pending and retrying ones are live."""

    PENDING = "pending"
    RETRYING = "retrying"
    PUBLISHED = "published"
    DEAD_LETTERED = "dead_lettered"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a route became a dead letter."""

    ATTEMPTS = "attempts"
    EXPIRED = "expired"
    PERMANENT = "permanent"
    AMBIGUOUS = "ambiguous"


class Priority(StrEnum):
    """How soon a kind is claimed when there is more work than time."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One addressee of a notification; `data` is merged over the payload for it."""

    user_id: str | None = None
    email: str | None = None
    device_session_id: str | None = None
    locale: str | None = None
    data: Mapping[str, Any] | None = None


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed request to notify, not yet held against the catalog.

    `payload_text` is the payload as it is stored: compact JSON with numbers as they were sent.
    `fingerprint` is the SHA-256 of kind, payload, recipients in order and deliver_at as sent.
    """

    kind: str
    idempotency_key: str
    payload: Mapping[str, Any]
    payload_text: str
    recipients: Sequence[Recipient]
    deliver_at: datetime | None
    fingerprint: str
    traceparent: str | None


class NewRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route about to be stored; `skip` is the reason why it will never be tried.

    `endpoint` is that of the device, as a `Claim` has it.
    """

    route_id: UUID
    channel: Channel
    target: Target
    user_id: str | None
    device_session_id: str | None
    resolved_email: str | None
    locale: str | None
    data: str | None
    skip: str | None = None
    claimed: bool = False
    endpoint: str | None = None


class NewNotification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification about to be stored with its routes, in one statement.

    `expires_in` counts in seconds from deliver_at, or from now where there is none.
    """

    notification_id: UUID
    submission: Submission
    routes: Sequence[NewRoute]
    priority: Priority
    max_attempts: int
    expires_in: float


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to deliver what a claim takes, for `seconds` from the claim on."""

    token: UUID
    seconds: float


class EmailRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of an email that was accepted, by the provider's clock after that."""

    accepted_at: datetime
    message_id: str
    delivered_at: datetime | None
    bounced_at: datetime | None
    bounce_type: str | None
    complained_at: datetime | None
    delayed_at: datetime | None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route as it stands in the store; `delivery` is there where it was asked for.

    It waits for the resource `waiting_for` to accept sends, and has been due since `waiting_since`.
    """

    route_id: UUID
    channel: str
    status: Status
    user_id: str | None
    device_session_id: str | None
    resolved_email: str | None
    attempts: int
    max_attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_error: str | None
    expires_at: datetime
    published_at: datetime | None
    provider_message_id: str | None
    waiting_for: str | None = None
    waiting_since: datetime | None = None
    delivery: EmailRecord | None = None


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification as it stands in the store, with its routes in the order of submission."""

    notification_id: UUID
    kind: str
    idempotency_key: str
    fingerprint: str
    created_at: datetime
    deliver_at: datetime | None
    routes: Sequence[Route]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a route; `claim` is 0 where it is about none."""

    at: datetime
    event: str
    attempt: int | None
    claim: int
    reason: str | None
    detail: str | None
    message_id: str | None


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A notification, and what happened to its routes in the order of time, where that is told."""

    notification: Notification
    histories: Mapping[UUID, Sequence[Event]]


class Claim(msgspec.Struct, frozen=True):
    """A route that a worker may deliver, with what its notification says.

    `attempts` includes this one where `counted`; a claim that is not counted is to be ended
    without a send. `lapsed` says that the claim before this one ran out, `in_doubt` that an
    attempt before this one may have been accepted. `max_attempts` is the effective one.
    `expires_in` is in seconds by the database's clock at the claim, `due` in seconds since 1970.
    `payload` and `data` are JSON text, decoded only by whoever needs them. `endpoint` is the SNS
    endpoint of the device, where the device is registered and alive. `suppressed` is why nothing is
    sent to the address, where that is so. `unchecked` says that the payload was not held against
    its kind's schema yet. `refusals` counts how often the route was refused where the cause may be
    its resource; `own_refusal` says that the cause is the route: another one was accepted after an
    earlier refusal. Token apart, the fields are in the order of sql/claimed.sql.
    """

    token: UUID
    route_id: UUID
    channel: str
    target: str
    kind: str
    idempotency_key: str
    payload: str
    traceparent: str | None
    user_id: str | None
    device_session_id: str | None
    resolved_email: str | None
    endpoint: str | None
    locale: str | None
    data: str | None
    attempts: int
    max_attempts: int
    claims: int
    counted: bool
    lapsed: bool
    in_doubt: bool
    expires_in: float
    lane: int
    due: float
    suppressed: str | None
    unchecked: bool = False
    refusals: int = 0
    own_refusal: bool = False

    def __repr__(self) -> str:
        """Name the route and the attempt, and nothing of whom it is for and what it says."""
        return f"Claim(route_id={self.route_id}, kind={self.kind!r}, attempts={self.attempts})"


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The provider accepted the message."""

    message_id: str


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt failed; another one may succeed.

    `unreached`: the provider was not there to ask. Not `asked`: it did not come to that.
    `refused`: a resource's refusal, and the cause is the route, for the resource accepts others.
    """

    error: str
    unreached: bool = False
    asked: bool = True
    refused: bool = False


class Permanent(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refused the message, and would refuse it again.

    `dead_endpoint` is the endpoint of a device that is no more. Not `asked`: the request was
    never one.
    """

    error: str
    dead_endpoint: str | None = None
    asked: bool = True

    def __repr__(self) -> str:
        """Leave out the endpoint, which stands for somebody's device."""
        return f"Permanent(error={self.error!r}, asked={self.asked})"


class Throttled(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refused it because a resource sends too fast."""

    resource: str
    error: str


class Unavailable(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refused it because of a resource, whatever the message.

    Where the resource is one identity, application or topic, the cause may also be the route: SES
    and SNS answer AccessDenied for a recipient, too. The gate decides by what others are answered.
    `doubtful` where that is a guess from many answers that were lost: this one may have been
    accepted too.
    """

    resource: str
    error: str
    doubtful: bool = False


class Ambiguous(msgspec.Struct, frozen=True, kw_only=True):
    """The provider may have accepted the message, and that is not known."""

    error: str


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """There is nobody to deliver to: the device is dead or gone, the address suppressed."""

    reason: str


class NotBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was sent: the time that was left could not cover a send, or a resource is paused.

    `behind` is the paused one, where it is one identity or application and not the channel.
    """

    behind: str | None = None


Outcome = (
    Delivered | Failed | Permanent | Throttled | Unavailable | Ambiguous | Unreachable | NotBegun
)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a claim."""

    claim: Claim
    outcome: Outcome


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A user's device, registered as an SNS platform endpoint."""

    user_id: str
    device_session_id: str
    platform: str
    token: str
    endpoint: str
    dead: bool = False

    def __repr__(self) -> str:
        """Name whose it is, and neither token nor endpoint."""
        return f"Device({self.user_id!r}, {self.device_session_id!r}, dead={self.dead})"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A user's device as whoever asks is told of it: neither token nor endpoint."""

    user_id: str
    device_session_id: str
    platform: str
    dead_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """How the routes of a notification answered a cancel."""

    cancelled: int
    in_flight: int
    ended: int


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What a person was erased from, and whether there may be more.

    `in_flight` routes are among them: somebody may be sending them, or may have.
    """

    routes: int
    in_flight: int
    devices: int = 0
    remaining: bool


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch of the purge deleted, and the last notification that it looked at."""

    last: UUID
    notifications: int
    routes: int
    dead_letters: int


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel's provider throttles, as earlier batches found it.

    `requests` and `entries` are net refusals (congestion.py). `limited` while the channel is paced
    below its rate since the congestion at `since`; `probing` while the pace is above that of then.
    """

    requests: float = 0.0
    entries: float = 0.0
    limited: bool = False
    probing: bool = False
    since: datetime | None = None

    @property
    def score(self) -> float:
        """Return the larger of both counts."""
        return max(self.requests, self.entries)


class Congested(msgspec.Struct, frozen=True, kw_only=True):
    """Congestion that a batch found: at `pace` sends a second, this share was still accepted.

    `probing` and `since` are those of `Throttling` when the batch was claimed.
    """

    pace: float
    accepted_share: float
    probing: bool
    since: datetime | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel stands.

    A resource is the channel as a whole, named like it, or one identity or application of it,
    named `channel/…`. `paused` ones are nobody's to use; `recovering` ones, whose pause is over,
    are to be tried by one worker with one route. `unreached` and `unanswered` count what failed
    in a row: connections, and routes whose answer was lost. `paused_for` counts the seconds until
    the channel's own pause is over, `rate` is in sends a second. `refused` has, by narrow
    resource, the routes that were refused in a row and may be the cause themselves; through the
    `proven` ones a route was accepted after trouble. `awaited_for` counts the seconds until the
    first route is due that waits for a narrow resource; None where none waits.
    """

    channel: str
    paused: frozenset[str] = frozenset()
    recovering: frozenset[str] = frozenset()
    unreached: int = 0
    unanswered: frozenset[UUID] = frozenset()
    paused_for: float = 0.0
    rate: float | None = None
    rate_is_old: bool = False
    throttling: Throttling = Throttling()
    refused: Mapping[str, frozenset[UUID]] = {}
    proven: frozenset[str] = frozenset()
    awaited_for: float | None = None

    @property
    def is_paced(self) -> bool:
        """Tell whether sends are reserved before they begin."""
        return self.rate is not None or self.throttling.limited


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """Reserved sends: `room` of them, the first after `wait` seconds, then one each `spacing`.

    `slots` is the end of the reservation, by which it can be given back.
    """

    room: int
    wait: float = 0.0
    spacing: float = 0.0
    slots: datetime | None = None


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause of a resource, which has been told to all workers."""

    resource: str
    seconds: float
    in_a_row: int


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """What alarms look at.

    `oldest_due_seconds` is the age of the oldest live route since it was first due, behind a pause
    too. `waiting_routes` counts the routes behind any pause, `dead_letters_hour` the open dead
    letters of the last hour, both up to 10,000. `paused_resources` counts channels, identities,
    applications and topics; a channel that is paused as a whole is a 1.
    """

    oldest_due_seconds: float
    waiting_routes: int
    dead_letters_hour: int
    paused_resources: int
    email_paused: int
    push_paused: int


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """The due routes of a channel, counted no further than was asked, and its sends a second."""

    channel: str
    due: int
    rate: float | None


class OpenDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that nobody has redriven and no event has settled."""

    dead_letter_id: int
    route_id: UUID
    notification_id: UUID
    kind: str
    channel: str
    reason: str
    error: str | None
    attempts: int
    dead_lettered_at: datetime


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which open dead letters are meant: all for which each of these that is given is so.

    `since` is within the span of time, `until` is not.
    """

    kind: str | None = None
    channel: Channel | None = None
    reason: Reason | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = msgspec.field(
        default=None, name="to"
    )


class Redrive(msgspec.Struct, frozen=True, kw_only=True):
    """A redrive on record: who asked for it, for what, and what came of it so far.

    `filter` is as it was asked for. `most` bounds how many are redriven, `per_second` how fast they
    are due. `matched` counts the dead letters that it was about, before it began.
    """

    redrive_id: UUID
    who: str
    filter: Mapping[str, Any]
    per_second: float | None = None
    most: int = 1
    expires_at: datetime | None = None
    matched: int = 1
    redriven: int = 0
    refused: int = 0

    @property
    def spacing(self) -> float:
        """Return the seconds from one that is due to the next."""
        return 1 / self.per_second if self.per_second else 0.0


class RecordedRedrive(Redrive, frozen=True, kw_only=True):
    """A redrive as it was found on record, with when it was asked for."""

    at: datetime


class Known(StrEnum):
    """What an event of the provider makes known of a send."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"


class Note(msgspec.Struct, frozen=True, kw_only=True):
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
    known: Known
    error: str = ""
    note: Note | None = None


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """An address that nothing is sent to, since when, and why."""

    email: str
    reason: str
    created_at: datetime
