"""The transitions of the routes of one claim, and how a transaction writes them."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar
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

T = TypeVar("T", bound=Transition)

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


class Planned(Struct, kw_only=True):
    """The transitions of the routes of one claim; `hold` is the hold of its channel, in seconds."""

    token: UUID
    hold: float
    claims: dict[UUID, Claim] = {}
    transitions: dict[UUID, Transition] = {}

    def add(self, claim: Claim, transition: Transition) -> None:
        """Add the transition of a route."""
        self.claims[claim.route_id] = claim
        self.transitions[claim.route_id] = transition

    def write(self, transaction: Transaction, settled: Settled, patience: Patience) -> None:
        """Write the transitions, and count them."""
        self._publish(transaction, settled)
        self._retry(transaction, settled)
        self._end(transaction, settled)
        self._give_back(transaction, settled)
        self._defer(transaction, settled, patience)

    def _of(self, *kinds: type[T]) -> dict[UUID, T]:
        """Return the transitions of these kinds, by route."""
        every = self.transitions.items()
        return {route_id: one for route_id, one in every if isinstance(one, kinds)}

    def _publish(self, transaction: Transaction, settled: Settled) -> None:
        if published := self._of(Publish):
            message_ids = {route_id: one.message_id for route_id, one in published.items()}
            settled.tally[Status.PUBLISHED] += transaction.publish(self.token, message_ids)

    def _retry(self, transaction: Transaction, settled: Settled) -> None:
        again: dict[UUID, Retry | Doubt] = {**self._of(Retry), **self._of(Doubt)}
        if again:
            for route_id, due in transaction.retry(self.token, again).items():
                entry = self._entry(route_id, again[route_id].error)
                settled.add(Status.RETRYING, entry | {"next_attempt_at": due.isoformat()})

    def _end(self, transaction: Transaction, settled: Settled) -> None:
        """Write the routes that are dead letters or skipped."""
        if dead := self._of(DeadLetter):
            for route_id in transaction.dead_letter(self.token, dead):
                error = dead[route_id].error or str(dead[route_id].reason)
                settled.add(Status.DEAD_LETTERED, self._entry(route_id, error))
        if skipped := self._of(Skip):
            reasons = {route_id: one.reason for route_id, one in skipped.items()}
            for route_id in transaction.skip(self.token, reasons):
                settled.add(Status.SKIPPED, self._entry(route_id, reasons[route_id]))

    def _give_back(self, transaction: Transaction, settled: Settled) -> None:
        """Give back routes that were not begun, by the resource that they wait for."""
        given_back = self._of(GiveBack)
        for back in dict.fromkeys(given_back.values()):
            route_ids = [route_id for route_id, one in given_back.items() if one == back]
            settled.tally[GIVEN_BACK] += transaction.give_back(
                self.token,
                route_ids,
                # A lapsed route is claimed alone, so its token is of that route only.
                lapsed=self.claims[route_ids[0]].lapsed,
                hold=self.hold,
                behind=back.behind,
                delay=back.delay,
            )

    def _defer(self, transaction: Transaction, settled: Settled, patience: Patience) -> None:
        """Give refused routes back, each after those that wait for the same resource."""
        deferred = self._of(Defer)
        for behind in dict.fromkeys(one.behind for one in deferred.values()):
            deferrals = {
                route_id: Deferral(
                    delay=patience(self.claims[route_id].refusals + 1), error=one.error
                )
                for route_id, one in deferred.items()
                if one.behind == behind
            }
            lapsed = self.claims[next(iter(deferrals))].lapsed
            settled.tally[GIVEN_BACK] += transaction.defer(
                self.token, deferrals, lapsed=lapsed, hold=self.hold, behind=behind
            )

    def _entry(self, route_id: UUID, error: str) -> Entry:
        claim = self.claims[route_id]
        return {
            "route_id": str(route_id),
            "kind": claim.kind,
            "channel": claim.channel,
            "attempt": claim.attempts,
            "error": error,
            "trace_id": claim.trace_id,
        }
