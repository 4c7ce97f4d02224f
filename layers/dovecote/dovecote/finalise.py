"""Finalise: write what became of claimed routes. The one finaliser of dispatch and of submit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from dovecote import transitions
from dovecote.model import Channel, Claim, Delivered, Result, Status
from dovecote.ports import (
    Clock,
    Log,
    Sleep,
    Store,
    StoreBusy,
    StoreFailed,
    StoreUnavailable,
    Transaction,
)
from dovecote.transitions import Backoff, DeadLetter, GiveBack, Publish, Random, Retry, Transition

PAUSE_SECONDS = 0.5
"""How long a store that is out of reach is left alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """A route that was finalised; `status` is None where it was given back."""

    claim: Claim
    status: Status | None
    error: str | None = None
    next_attempt_at: datetime | None = None


class Finaliser:
    """Carry out the transitions of attempted routes."""

    def __init__(
        self, *, backoff: Backoff, random: Random, log: Log, clock: Clock, sleep: Sleep
    ) -> None:
        self._backoff = backoff
        self._random = random
        self._log = log
        self._clock = clock
        self._sleep = sleep

    def finalise(self, transaction: Transaction, results: Sequence[Result]) -> list[Settled]:
        """Write the transitions of results within the caller's transaction; never commit.

        Returns what was written: a route that no longer carries its claim's token is left as it
        is, but an acceptance of its email is put on record all the same.
        """
        _record_acceptances(transaction, results)
        planned = [(result.claim, self._transition(result)) for result in results]
        settled = _publish(transaction, planned) + _give_back(transaction, planned)
        for claim, transition in planned:
            match transition:
                case Retry():
                    settled += _retry(transaction, claim, transition)
                case DeadLetter():
                    settled += _dead_letter(transaction, claim, transition)
        return settled

    def settle(self, store: Store, results: Sequence[Result], *, until: float) -> list[Settled]:
        """Finalise and commit: the delivered first and by themselves, then the others.

        One route that the store refuses must not undo the acceptances of its batch. A store that
        is busy or out of reach is tried again `until` a time on the clock: what is not written
        down by then will be sent again. Raises StoreError.
        """
        delivered = [result for result in results if isinstance(result.outcome, Delivered)]
        others = [result for result in results if not isinstance(result.outcome, Delivered)]
        return self._persist(store, delivered, until) + self._persist(store, others, until)

    def _persist(self, store: Store, results: Sequence[Result], until: float) -> list[Settled]:
        while True:
            try:
                return self._commit(store, results)
            except (StoreUnavailable, StoreBusy):
                if self._clock() + PAUSE_SECONDS >= until:
                    raise
                self._sleep(PAUSE_SECONDS)

    def _commit(self, store: Store, results: Sequence[Result]) -> list[Settled]:
        if not results:
            return []
        try:
            with store.transaction() as transaction:
                settled = self.finalise(transaction, results)
        except StoreFailed as error:
            return self._one_by_one(store, results, error)
        for route in settled:
            self._report(route)
        return settled

    def _one_by_one(
        self, store: Store, results: Sequence[Result], error: StoreFailed
    ) -> list[Settled]:
        if len(results) > 1:
            return [route for result in results for route in self._commit(store, [result])]
        claim = results[0].claim
        self._log.error(
            "notification route not finalised", route_id=str(claim.route_id), error=str(error)
        )
        return []

    def _transition(self, result: Result) -> Transition:
        if not isinstance(result.outcome, Delivered):
            ended = transitions.ended(result.claim)
            if ended is not None:
                return ended
        return transitions.after(result.claim, result.outcome, self._backoff, self._random)

    def _report(self, route: Settled) -> None:
        """Log what somebody should know, once it is committed."""
        fields = {
            "kind": route.claim.kind,
            "channel": route.claim.channel,
            "route_id": str(route.claim.route_id),
            "attempt": route.claim.attempts,
            "error": route.error,
        }
        if route.status is Status.DEAD_LETTERED:
            self._log.warning("notification route dead-lettered", **fields)
        elif route.status is Status.RETRYING and route.next_attempt_at is not None:
            fields["next_attempt_at"] = route.next_attempt_at.isoformat()
            self._log.info("notification route retry scheduled", **fields)


Planned = Iterable[tuple[Claim, Transition]]
Shape = TypeVar("Shape", Publish, GiveBack)


def _record_acceptances(transaction: Transaction, results: Sequence[Result]) -> None:
    """Keep the kind as the template's id: a route's kind never changes, its template may."""
    acceptances = [
        (result.claim.kind, result.claim.route_id, result.outcome.message_id)
        for result in results
        if isinstance(result.outcome, Delivered) and result.claim.channel == Channel.EMAIL
    ]
    if acceptances:
        transaction.record_acceptances(acceptances)


def _publish(transaction: Transaction, planned: Planned) -> list[Settled]:
    settled: list[Settled] = []
    for token, claims in _by_token(planned, Publish).items():
        ids = {claim.route_id: publish.message_id for claim, publish in claims}
        written = transaction.publish(token, ids)
        settled += [
            Settled(claim=claim, status=Status.PUBLISHED)
            for claim, _ in claims
            if claim.route_id in written
        ]
    return settled


def _give_back(transaction: Transaction, planned: Planned) -> list[Settled]:
    settled: list[Settled] = []
    for token, claims in _by_token(planned, GiveBack).items():
        ids = [claim.route_id for claim, _ in claims]
        # A lapsed route is claimed alone, so its token stands for itself.
        written = transaction.give_back(token, ids, lapsed=claims[0][0].lapsed)
        settled += [
            Settled(claim=claim, status=None) for claim, _ in claims if claim.route_id in written
        ]
    return settled


def _retry(transaction: Transaction, claim: Claim, retry: Retry) -> list[Settled]:
    due = transaction.retry(claim.route_id, claim.token, retry.delay, retry.error)
    if due is None:
        return []
    return [Settled(claim=claim, status=Status.RETRYING, error=retry.error, next_attempt_at=due)]


def _dead_letter(transaction: Transaction, claim: Claim, end: DeadLetter) -> list[Settled]:
    if not transaction.dead_letter(claim.route_id, claim.token, end.reason, end.error):
        return []
    error = end.error or str(end.reason)
    return [Settled(claim=claim, status=Status.DEAD_LETTERED, error=error)]


def _by_token(planned: Planned, shape: type[Shape]) -> dict[UUID, list[tuple[Claim, Shape]]]:
    tokens: dict[UUID, list[tuple[Claim, Shape]]] = {}
    for claim, transition in planned:
        if isinstance(transition, shape):
            tokens.setdefault(claim.token, []).append((claim, transition))
    return tokens
