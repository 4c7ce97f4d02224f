"""Finalise: write what became of claimed routes. The one finaliser of dispatch and of submit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dovecote import transitions
from dovecote.deliver import Delivery
from dovecote.model import Channel, Claim, Delivered, Permanent, Result, Status
from dovecote.pauses import Pauses
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
from dovecote.transitions import (
    Backoff,
    DeadLetter,
    Doubt,
    GiveBack,
    Publish,
    Random,
    Retry,
    Skip,
    Transition,
)

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
        self,
        *,
        backoff: Backoff,
        holds: Mapping[str, float],
        pauses: Pauses,
        random: Random,
        log: Log,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._backoff = backoff
        self._holds = holds
        self._pauses = pauses
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
        settled = _publish(transaction, planned) + _give_back(transaction, planned, self._holds)
        for claim, transition in planned:
            match transition:
                case Retry() | Doubt():
                    settled += _retry(transaction, claim, transition)
                case DeadLetter():
                    settled += _dead_letter(transaction, claim, transition)
                case Skip():
                    settled += _skip(transaction, claim, transition)
        _bury_devices(transaction, results)
        return settled

    def conclude(self, store: Store, delivery: Delivery, *, until: float) -> list[Settled]:
        """Tell all workers what was heard of the channel, then settle the results."""
        self._pauses.learn(store, delivery.gate)
        return self.settle(store, delivery.results, until=until)

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
        hold = self._holds.get(result.claim.channel, 0.0)
        return transitions.after(result.claim, result.outcome, self._backoff, self._random, hold)

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
        elif route.status is Status.SKIPPED:
            self._log.info("notification route skipped", **fields)
        elif route.status is Status.RETRYING and route.next_attempt_at is not None:
            fields["next_attempt_at"] = route.next_attempt_at.isoformat()
            self._log.info("notification route retry scheduled", **fields)


Planned = Iterable[tuple[Claim, Transition]]


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
    batches: dict[UUID, list[tuple[Claim, Publish]]] = {}
    for claim, transition in planned:
        if isinstance(transition, Publish):
            batches.setdefault(claim.token, []).append((claim, transition))
    settled: list[Settled] = []
    for token, batch in batches.items():
        ids = {claim.route_id: publish.message_id for claim, publish in batch}
        written = transaction.publish(token, ids)
        settled += [
            Settled(claim=claim, status=Status.PUBLISHED)
            for claim, _ in batch
            if claim.route_id in written
        ]
    return settled


def _give_back(
    transaction: Transaction, planned: Planned, holds: Mapping[str, float]
) -> list[Settled]:
    """Give back what was not begun, by claim and by what it waits for."""
    batches: dict[tuple[UUID, str | None], list[Claim]] = {}
    for claim, transition in planned:
        if isinstance(transition, GiveBack):
            batches.setdefault((claim.token, transition.behind), []).append(claim)
    settled: list[Settled] = []
    for (token, behind), claims in batches.items():
        written = transaction.give_back(
            token,
            [claim.route_id for claim in claims],
            # A lapsed route is claimed alone, so its token stands for itself.
            lapsed=claims[0].lapsed,
            hold=holds.get(claims[0].channel, 0.0),
            behind=behind,
        )
        settled += [
            Settled(claim=claim, status=None) for claim in claims if claim.route_id in written
        ]
    return settled


def _retry(transaction: Transaction, claim: Claim, retry: Retry | Doubt) -> list[Settled]:
    due = transaction.retry(
        claim.route_id,
        claim.token,
        retry.delay,
        retry.error,
        hold=retry.hold if isinstance(retry, Doubt) else None,
        counted=retry.counted if isinstance(retry, Doubt) else True,
    )
    if due is None:
        return []
    return [Settled(claim=claim, status=Status.RETRYING, error=retry.error, next_attempt_at=due)]


def _skip(transaction: Transaction, claim: Claim, skip: Skip) -> list[Settled]:
    if not transaction.skip(claim.route_id, claim.token, skip.reason):
        return []
    return [Settled(claim=claim, status=Status.SKIPPED, error=skip.reason)]


def _bury_devices(transaction: Transaction, results: Sequence[Result]) -> None:
    """Mark the devices dead whose endpoints the provider disabled, whoever holds the routes now."""
    endpoints = {
        result.outcome.dead_endpoint
        for result in results
        if isinstance(result.outcome, Permanent) and result.outcome.dead_endpoint is not None
    }
    for endpoint in sorted(endpoints):
        transaction.bury_device(endpoint)


def _dead_letter(transaction: Transaction, claim: Claim, end: DeadLetter) -> list[Settled]:
    if not transaction.dead_letter(claim.route_id, claim.token, end.reason, end.error):
        return []
    error = end.error or str(end.reason)
    return [Settled(claim=claim, status=Status.DEAD_LETTERED, error=error)]
