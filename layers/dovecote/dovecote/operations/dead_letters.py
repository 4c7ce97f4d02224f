"""Find dead letters, and redrive them: a fresh set of attempts, the history kept.

A redrive of one, or of many by a filter at a rate, is put on record.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol
from uuid import UUID

import msgspec

from dovecote.channels import NAMES
from dovecote.core.dead_letter import Filter, OpenDeadLetter, RecordedRedrive, Redrive
from dovecote.core.errors import ANSWER_SECONDS, StoreBusy
from dovecote.core.notification import Notification
from dovecote.core.parsing import bodies, queries
from dovecote.core.parsing.identifiers import Instant, in_range
from dovecote.core.parsing.queries import BadValue, Page, Reader
from dovecote.core.ports import Clock, TimeLimits
from dovecote.core.problems import Conflict, Fault, Invalid, NotFound
from dovecote.core.route import Reason
from dovecote.core.transitions import Refusal

UNKNOWN = "There is no such route."
REFUSED_ONE = "The route cannot be redriven."
REFUSED_MANY = "The dead letters cannot be redriven."
INVALID_QUERY = "The query is invalid."

MOST = 10_000
"""How many dead letters one call redrives, and counts."""

BATCH = 100
"""How many dead letters one transaction locks."""

WORK_SECONDS = 2.0
"""How long batches begin: one may wait 2 s for a lock, and the answer is due within 5 s."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Place = tuple[datetime, int]
"""A page of dead letters begins after the one with this time and number."""


class DeadLetterStore(Protocol):
    """The store of dead letters and redrives. Every call may raise StoreError."""

    def page(self, filter_: Filter, after: Place | None, limit: int) -> list[OpenDeadLetter]:
        """Return open dead letters after a place, the newest first."""

    def redrive(self, redrive: Redrive, route_id: UUID) -> UUID | Refusal | None:
        """Redrive one dead letter, on record; return its notification, or the refusal.

        Return None if there is no such route.
        """

    def count(self, filter_: Filter, most: int) -> int:
        """Return how many dead letters are open, counted up to `most`."""

    def record(self, redrive: Redrive) -> None:
        """Put a redrive on record."""

    def redrive_all(self, redrive: Redrive, route_ids: Sequence[UUID], *, wait: float) -> Redrive:
        """Redrive dead letters in one transaction, the first of them due after `wait` seconds.

        Return the redrive with its counts so far.
        """

    def redrives(self, after: UUID | None, limit: int) -> list[RecordedRedrive]:
        """Return redrives after a place, the newest first."""


class RedriveRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a redrive; it may be empty."""

    expires_at: Instant | None = None


class RedrivesRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a redrive by filter; `{}` names all dead letters."""

    filter: Filter
    dry_run: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 1_000
    per_second: Annotated[float, msgspec.Meta(ge=0.01, le=1_000)] = 10.0
    expires_at: Instant | None = None


class DeadLetters(msgspec.Struct, kw_only=True):
    """Use cases of dead letters and redrives."""

    letters: DeadLetterStore
    read: Callable[[UUID], Notification | None]
    limits: TimeLimits
    new_id: Callable[[], UUID]
    clock: Clock

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
        return queries.page(self.letters.page(filter_, after, limit + 1), limit, _cursor)

    def redrive(self, route_id: str, body: bytes, who: str) -> Notification:
        """Make a dead letter pending; return its notification.

        Raises NotFound, Conflict, Malformed, TooLarge and Invalid.
        """
        request = bodies.read(body or b"{}", RedriveRequest, REFUSED_ONE)
        if request.expires_at is not None and not in_range(request.expires_at):
            raise Invalid(REFUSED_ONE, [Fault("/expires_at", "is out of range")])
        try:
            route = UUID(route_id)
        except ValueError:
            raise NotFound(UNKNOWN) from None
        redrive = Redrive(
            redrive_id=self.new_id(),
            who=who,
            filter={"route_id": str(route)},
            expires_at=request.expires_at,
        )
        with self.limits.within(ANSWER_SECONDS):
            answer = self.letters.redrive(redrive, route)
            if isinstance(answer, Refusal):
                raise _refused(answer)
            notification = None if answer is None else self.read(answer)
        if notification is None:
            raise NotFound(UNKNOWN)
        return notification

    def redrive_all(self, body: bytes, who: str) -> Redrive | int:
        """Make the dead letters of a filter pending, as many as time allows.

        Returns the redrive, or for a dry run the number of dead letters, counted up to MOST. Raises
        Malformed, TooLarge and Invalid.
        """
        request = _checked(bodies.read(body, RedrivesRequest, REFUSED_MANY))
        with self.limits.within(ANSWER_SECONDS):
            matched = self.letters.count(request.filter, MOST)
            if request.dry_run:
                return matched
            redrive = Redrive(
                redrive_id=self.new_id(),
                who=who,
                filter=_given(request.filter),
                per_second=request.per_second,
                most=request.limit,
                expires_at=request.expires_at,
                matched=matched,
            )
            self.letters.record(redrive)
            return self._redrive_batches(redrive, request.filter)

    def find_redrives(self, query: str) -> Page[RecordedRedrive]:
        """Return a page of redrives, the newest first; raise Invalid."""
        readers = {"after": queries.uuid, "limit": queries.limit}
        given = queries.read(query, readers, INVALID_QUERY)
        limit = given.get("limit", queries.USUAL)
        found = self.letters.redrives(given.get("after"), limit + 1)
        return queries.page(found, limit, lambda one: one.redrive_id)

    def _redrive_batches(self, redrive: Redrive, filter_: Filter) -> Redrive:
        """Redrive batch by batch; a lock timeout rolls back its batch and ends the redrive."""
        began = self.clock()
        place: Place | None = None
        while (left := redrive.most - redrive.redriven) and self.clock() < began + WORK_SECONDS:
            letters = self.letters.page(filter_, place, min(BATCH, left))
            if not letters:
                break
            wait = redrive.redriven * redrive.spacing - (self.clock() - began)
            routes = [letter.route_id for letter in letters]
            try:
                redrive = self.letters.redrive_all(redrive, routes, wait=max(0.0, wait))
            except StoreBusy:
                break
            place = _place_of(letters[-1])
        return redrive


def _place_of(letter: OpenDeadLetter) -> Place:
    """Return the place of a dead letter in the order of pages."""
    return letter.dead_lettered_at, letter.dead_letter_id


def _cursor(letter: OpenDeadLetter) -> str:
    at, number = _place_of(letter)
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
        case Refusal.REMOVED:
            return Conflict("The payload was removed; submit the notification with a new key.")
        case Refusal.IN_DOUBT:
            return Conflict("The provider may have accepted the route; its event is still due.")
        case Refusal.EXPIRED:
            return Invalid(
                REFUSED_ONE, [Fault("/expires_at", "must be in the future: the route expired")]
            )


def _checked(request: RedrivesRequest) -> RedrivesRequest:
    times = {
        "/filter/from": request.filter.since,
        "/filter/to": request.filter.until,
        "/expires_at": request.expires_at,
    }
    faults = [
        Fault(where, "is out of range")
        for where, time in times.items()
        if time is not None and not in_range(time)
    ]
    if request.filter.channel not in (None, *NAMES):
        faults.insert(0, Fault("/filter/channel", f"must be one of: {', '.join(NAMES)}"))
    if faults:
        raise Invalid(REFUSED_MANY, faults)
    return request


def _given(filter_: Filter) -> dict[str, Any]:
    """Return the members of a filter that the request gave."""
    members: dict[str, Any] = msgspec.to_builtins(filter_)
    return {name: value for name, value in members.items() if value is not None}
