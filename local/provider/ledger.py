"""What the provider was asked and what it accepted, in order."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Service = Literal["ses", "sns"]

CHANNELS: Mapping[Service, str] = {"ses": "email", "sns": "push"}
"""The channel whose messages a service takes."""


@dataclass(frozen=True, kw_only=True)
class Send:
    """One request to send, as far as it can be read: what orders are matched against."""

    service: Service
    operation: str
    targets: tuple[str, ...]  # addresses; or an ARN, and the token behind it
    tags: Mapping[str, str] = field(default_factory=dict)
    route_id: str | None = None  # the route of Dovecote's that it names, where it names one
    call: str | None = None  # the bulk call that it is an entry of


@dataclass(frozen=True, kw_only=True)
class Row:
    """What an attempt and an acceptance have in common."""

    sequence: int
    time: float
    service: Service
    operation: str
    target: str
    message_id: str | None
    route_id: str | None = None

    @property
    def channel(self) -> str:
        """Return the channel that sent the message."""
        return CHANNELS[self.service]


@dataclass(frozen=True, kw_only=True)
class Attempt(Row):
    """One request to send that was received, or one entry of a bulk call, and what became of it."""

    tags: Mapping[str, str]
    # accepted, deduplicated, closed, closed_after_accepting, hung_up, a code or a status
    outcome: str
    call: str | None = None


@dataclass(frozen=True, kw_only=True)
class Email:
    """What SES accepted."""

    source: str
    destination: tuple[str, ...]
    subject: str
    html: str | None
    text: str | None
    reply_to: tuple[str, ...]
    headers: Mapping[str, str]
    tags: Mapping[str, str]
    configuration_set: str | None


@dataclass(frozen=True, kw_only=True)
class Push:
    """What SNS accepted."""

    target: str
    message: str  # as sent; with structure "json" an object with a text per protocol
    structure: str | None
    payload: str  # the text of the message that is meant for this target
    attributes: Mapping[str, str]
    group_id: str | None
    deduplication_id: str | None


@dataclass(frozen=True, kw_only=True)
class Acceptance(Row):
    """One message that was accepted."""

    message_id: str
    content: Email | Push


class Ledger:
    """Acceptances and attempts, each in the order in which they happened.

    Who listens is told of each row before the request that it is of is answered; of None, when
    all was forgotten.
    """

    def __init__(self) -> None:
        self.accepted: list[Acceptance] = []
        self.attempts: list[Attempt] = []
        self.listeners: list[Callable[[Row | None], None]] = []

    @property
    def received(self) -> Counter[str]:
        """Count what was to be sent by operation, whatever became of it."""
        return Counter(attempt.operation for attempt in list(self.attempts))

    def accept(self, *, at: float, send: Send, message_id: str, content: Email | Push) -> None:
        """Write one row."""
        row = Acceptance(
            sequence=len(self.accepted) + 1,
            time=at,
            service=send.service,
            operation=send.operation,
            message_id=message_id,
            target=send.targets[0],
            content=content,
            route_id=send.route_id,
        )
        self.accepted.append(row)
        self._tell(row)

    def note(self, *, at: float, send: Send, outcome: str, message_id: str | None = None) -> None:
        """Write down that a request was received, and how it ended."""
        attempt = Attempt(
            sequence=len(self.attempts) + 1,
            time=at,
            service=send.service,
            operation=send.operation,
            target=send.targets[0] if send.targets else "",
            tags=send.tags,
            outcome=outcome,
            message_id=message_id,
            route_id=send.route_id,
            call=send.call,
        )
        self.attempts.append(attempt)
        self._tell(attempt)

    def clear(self) -> None:
        """Forget everything."""
        self.accepted.clear()
        self.attempts.clear()
        self._tell(None)

    def _tell(self, row: Row | None) -> None:
        for listener in self.listeners:
            listener(row)
