"""Find dead letters, and redrive one: a fresh set of attempts, the history kept."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec

from dovecote.channels import NAMES
from dovecote.core.dead_letter import Filter, OpenDeadLetter, Redrive
from dovecote.core.errors import ANSWER_SECONDS
from dovecote.core.notification import Notification
from dovecote.core.parsing import bodies, queries
from dovecote.core.parsing.identifiers import Instant, in_range
from dovecote.core.parsing.queries import BadValue, Page, Reader
from dovecote.core.ports import TimeLimits
from dovecote.core.problems import Conflict, Fault, Invalid, NotFound
from dovecote.core.route import Reason
from dovecote.core.transitions import Refusal

UNKNOWN = "There is no such route."
REFUSED = "The route cannot be redriven."
INVALID_QUERY = "The query is invalid."

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Place = tuple[datetime, int]
"""A page of dead letters begins after the one with this time and number."""


class DeadLetterStore(Protocol):
    """The store of dead letters. Every call may raise StoreError."""

    def page(self, filter_: Filter, after: Place | None, limit: int) -> list[OpenDeadLetter]:
        """Return open dead letters after a place, the newest first."""

    def redrive(self, redrive: Redrive, route_id: UUID) -> UUID | Refusal | None:
        """Redrive one dead letter, on record; return its notification, or the refusal.

        Return None if there is no such route.
        """


class ReadNotification(Protocol):
    """Reads a notification with its routes; may raise StoreError."""

    def __call__(self, notification_id: UUID, /) -> Notification | None:
        """Return a notification with its routes."""


class RedriveRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a redrive; it may be empty."""

    expires_at: Instant | None = None


class DeadLetters:
    """Use cases of dead letters."""

    def __init__(
        self,
        *,
        letters: DeadLetterStore,
        read: ReadNotification,
        limits: TimeLimits,
        new_id: Callable[[], UUID],
    ) -> None:
        self._letters = letters
        self._read = read
        self._limits = limits
        self._new_id = new_id

    def find(self, query: str) -> Page[OpenDeadLetter]:
        """Return a page of open dead letters, the newest first; raise Invalid."""
        given = queries.read(query, READERS, INVALID_QUERY)
        after, limit = given.pop("after", None), given.pop("limit", queries.USUAL)
        filter_ = Filter(
            kind=given.get("kind"),
            channel=given.get("channel"),
            reason=given.get("reason"),
            since=given.get("from"),
            until=given.get("to"),
        )
        return queries.page(self._letters.page(filter_, after, limit + 1), limit, _cursor)

    def redrive(self, route_id: str, body: bytes, who: str) -> Notification:
        """Make a dead letter pending; return its notification.

        Raises NotFound, Conflict, Malformed, TooLarge and Invalid.
        """
        request = bodies.read(body or b"{}", RedriveRequest, REFUSED)
        if request.expires_at is not None and not in_range(request.expires_at):
            raise Invalid(REFUSED, [Fault("/expires_at", "is out of range")])
        try:
            route = UUID(route_id)
        except ValueError:
            raise NotFound(UNKNOWN) from None
        redrive = Redrive(
            redrive_id=self._new_id(),
            who=who,
            filter={"route_id": str(route)},
            expires_at=request.expires_at,
        )
        with self._limits.within(ANSWER_SECONDS):
            answer = self._letters.redrive(redrive, route)
            if isinstance(answer, Refusal):
                raise _refused(answer)
            notification = None if answer is None else self._read(answer)
        if notification is None:
            raise NotFound(UNKNOWN)
        return notification


def place_of(letter: OpenDeadLetter) -> Place:
    """Return the place of a dead letter in the order of pages."""
    return letter.dead_lettered_at, letter.dead_letter_id


def _cursor(letter: OpenDeadLetter) -> str:
    at, number = place_of(letter)
    return f"{(at - EPOCH) // MICROSECOND}-{number}"


def _place(text: str) -> Place:
    numbers = re.fullmatch(r"([0-9]{1,17})-([0-9]{1,18})", text)
    if numbers is None:
        raise BadValue("must be `next` of an earlier page")
    return EPOCH + int(numbers[1]) * MICROSECOND, int(numbers[2])


READERS: Mapping[str, Reader] = {
    "kind": queries.text,
    "channel": queries.one_of(NAMES),
    "reason": queries.one_of(Reason),
    "from": queries.instant,
    "to": queries.instant,
    "after": _place,
    "limit": queries.limit,
}
"""The parameters of a search for dead letters."""


def _refused(refusal: Refusal) -> Conflict | Invalid:
    match refusal:
        case Refusal.NO_DEAD_LETTER:
            return Conflict("The route is not a dead letter.")
        case Refusal.ERASED:
            return Conflict("The recipient was erased; the route has no address.")
        case Refusal.IN_DOUBT:
            return Conflict("The provider may have accepted the route; its event is still due.")
        case Refusal.EXPIRED:
            return Invalid(
                REFUSED, [Fault("/expires_at", "must be in the future: the route expired")]
            )
