"""Redrive dead letters by a filter at a rate, record each redrive, and find the records."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol
from uuid import UUID

import msgspec

from dovecote.channels import NAMES
from dovecote.core.dead_letter import Filter, RecordedRedrive, Redrive
from dovecote.core.errors import ANSWER_SECONDS, StoreBusy
from dovecote.core.parsing import bodies, queries
from dovecote.core.parsing.identifiers import Instant, in_range
from dovecote.core.parsing.queries import Page
from dovecote.core.ports import Clock, TimeLimits
from dovecote.core.problems import Fault, Invalid
from dovecote.operations.dead_letters import DeadLetterStore, Place, place_of

REFUSED = "The dead letters cannot be redriven."
INVALID_QUERY = "The query is invalid."

MOST = 10_000
"""How many dead letters one call redrives, and counts."""

BATCH = 100
"""How many dead letters one transaction locks."""

WORK_SECONDS = 2.0
"""How long batches begin: one may wait 2 s for a lock, and the answer is due within 5 s."""


class RedrivesRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a redrive by filter; `{}` names all dead letters."""

    filter: Filter
    dry_run: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 1_000
    per_second: Annotated[float, msgspec.Meta(ge=0.01, le=1_000)] = 10.0
    expires_at: Instant | None = None


class RedriveStore(DeadLetterStore, Protocol):
    """The store of dead letters and redrives. Every call may raise StoreError."""

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


class Redrives:
    """Use cases of redrives by filter."""

    def __init__(
        self,
        *,
        letters: RedriveStore,
        limits: TimeLimits,
        new_id: Callable[[], UUID],
        clock: Clock,
    ) -> None:
        self._letters = letters
        self._limits = limits
        self._new_id = new_id
        self._clock = clock

    def redrive(self, body: bytes, who: str) -> Redrive | int:
        """Make the dead letters of a filter pending, as many as time allows.

        Returns the redrive, or for a dry run the number of dead letters, counted up to MOST. Raises
        Malformed, TooLarge and Invalid.
        """
        request = _checked(bodies.read(body, RedrivesRequest, REFUSED))
        with self._limits.within(ANSWER_SECONDS):
            matched = self._letters.count(request.filter, MOST)
            if request.dry_run:
                return matched
            redrive = Redrive(
                redrive_id=self._new_id(),
                who=who,
                filter=_given(request.filter),
                per_second=request.per_second,
                most=request.limit,
                expires_at=request.expires_at,
                matched=matched,
            )
            self._letters.record(redrive)
            return self._redrive(redrive, request.filter)

    def find(self, query: str) -> Page[RecordedRedrive]:
        """Return a page of redrives, the newest first; raise Invalid."""
        readers = {"after": queries.uuid, "limit": queries.limit}
        given = queries.read(query, readers, INVALID_QUERY)
        limit = given.get("limit", queries.USUAL)
        found = self._letters.redrives(given.get("after"), limit + 1)
        return queries.page(found, limit, lambda one: one.redrive_id)

    def _redrive(self, redrive: Redrive, filter_: Filter) -> Redrive:
        """Redrive batch by batch; a lock timeout rolls back its batch and ends the redrive."""
        began = self._clock()
        place: Place | None = None
        while (left := redrive.most - redrive.redriven) and self._clock() < began + WORK_SECONDS:
            letters = self._letters.page(filter_, place, min(BATCH, left))
            if not letters:
                break
            wait = redrive.redriven * redrive.spacing - (self._clock() - began)
            routes = [letter.route_id for letter in letters]
            try:
                redrive = self._letters.redrive_all(redrive, routes, wait=max(0.0, wait))
            except StoreBusy:
                break
            place = place_of(letters[-1])
        return redrive


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
        raise Invalid(REFUSED, faults)
    return request


def _given(filter_: Filter) -> dict[str, Any]:
    """Return the members of a filter that the request gave."""
    members: dict[str, Any] = msgspec.to_builtins(filter_)
    return {name: value for name, value in members.items() if value is not None}
