"""The transitions of the routes of one claim, and how a transaction writes them."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from msgspec import Struct

from dovecote.core.claim import Claim
from dovecote.core.route import Status
from dovecote.core.transitions import (
    DeadLetter,
    Defer,
    Deferral,
    Doubt,
    GiveBack,
    Publish,
    Retry,
    Skip,
    Transition,
)
from dovecote.dispatch.ports import Transaction

GIVEN_BACK = "given_back"

Patience = Callable[[int], float]
"""Returns the seconds by which a route waits longer than others, after so many refusals."""

Entry = dict[str, str | int]
"""One route in a line of the log."""


class Settled(Struct, frozen=True, kw_only=True):
    """What was written: how many routes of each status or given back, and entries for the log."""

    tally: Counter[str]
    entries: dict[Status, list[Entry]]

    def add(self, status: Status, entry: Entry) -> None:
        """Count a route, and keep its entry."""
        self.tally[status] += 1
        self.entries.setdefault(status, []).append(entry)


class Planned:
    """The transitions of the routes of one claim; `hold` is the hold of its channel, in seconds."""

    def __init__(self, token: UUID, hold: float) -> None:
        self._token = token
        self._hold = hold
        self._claims: dict[UUID, Claim] = {}
        self._published: dict[UUID, str] = {}
        self._again: dict[UUID, Retry | Doubt] = {}
        self._dead: dict[UUID, DeadLetter] = {}
        self._skipped: dict[UUID, str] = {}
        self._back: dict[GiveBack, list[Claim]] = {}
        self._deferred: dict[str, dict[UUID, str]] = {}

    def add(self, claim: Claim, transition: Transition) -> None:
        """Add the transition of a route."""
        match transition:
            case Publish():
                self._published[claim.route_id] = transition.message_id
                return
            case Retry() | Doubt():
                self._again[claim.route_id] = transition
            case DeadLetter():
                self._dead[claim.route_id] = transition
            case Skip():
                self._skipped[claim.route_id] = transition.reason
            case GiveBack():
                self._back.setdefault(transition, []).append(claim)
            case Defer():
                deferred = self._deferred.setdefault(transition.behind, {})
                deferred[claim.route_id] = transition.error
        self._claims[claim.route_id] = claim

    def write(self, transaction: Transaction, settled: Settled, patience: Patience) -> None:
        """Write the transitions, and count them."""
        if self._published:
            count = transaction.publish(self._token, self._published)
            settled.tally[Status.PUBLISHED] += count
        self._retry(transaction, settled)
        self._end(transaction, settled)
        self._give_back(transaction, settled)
        self._defer(transaction, settled, patience)

    def _retry(self, transaction: Transaction, settled: Settled) -> None:
        if not self._again:
            return
        for route_id, due in transaction.retry(self._token, self._again).items():
            entry = _entry(self._claims[route_id], self._again[route_id].error)
            settled.add(Status.RETRYING, entry | {"next_attempt_at": due.isoformat()})

    def _end(self, transaction: Transaction, settled: Settled) -> None:
        """Write the routes that are dead letters or skipped."""
        if self._dead:
            for route_id in transaction.dead_letter(self._token, self._dead):
                end = self._dead[route_id]
                entry = _entry(self._claims[route_id], end.error or str(end.reason))
                settled.add(Status.DEAD_LETTERED, entry)
        if self._skipped:
            for route_id in transaction.skip(self._token, self._skipped):
                entry = _entry(self._claims[route_id], self._skipped[route_id])
                settled.add(Status.SKIPPED, entry)

    def _give_back(self, transaction: Transaction, settled: Settled) -> None:
        """Give back routes that were not begun, by the resource that they wait for."""
        for back, claims in self._back.items():
            settled.tally[GIVEN_BACK] += transaction.give_back(
                self._token,
                [claim.route_id for claim in claims],
                # A lapsed route is claimed alone, so its token is of that route only.
                lapsed=claims[0].lapsed,
                hold=self._hold,
                behind=back.behind,
                delay=back.delay,
            )

    def _defer(self, transaction: Transaction, settled: Settled, patience: Patience) -> None:
        """Give refused routes back, each after those that wait for the same resource."""
        for behind, errors in self._deferred.items():
            claims = [self._claims[route_id] for route_id in errors]
            deferrals = {
                claim.route_id: Deferral(
                    delay=patience(claim.refusals + 1), error=errors[claim.route_id]
                )
                for claim in claims
            }
            settled.tally[GIVEN_BACK] += transaction.defer(
                self._token, deferrals, lapsed=claims[0].lapsed, hold=self._hold, behind=behind
            )


def _entry(claim: Claim, error: str) -> Entry:
    return {
        "route_id": str(claim.route_id),
        "kind": claim.kind,
        "channel": claim.channel,
        "attempt": claim.attempts,
        "error": error,
        "trace_id": claim.trace_id,
    }
