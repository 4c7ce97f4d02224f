"""Finalise: write what became of claimed routes. The one finaliser of dispatch and of submit."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from msgspec import Struct

from dovecote.core import transitions
from dovecote.core.backoff import Backoff, Random
from dovecote.core.claim import Claim
from dovecote.core.errors import StoreBusy, StoreFailed, StoreUnavailable
from dovecote.core.outcome import Delivered, Permanent, Result
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.core.route import Channel, Status
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
from dovecote.dispatch.deliver import Delivery
from dovecote.dispatch.pauses import Pauses
from dovecote.dispatch.ports import ResultStore, Transaction

PAUSE_SECONDS = 0.5
"""How long a store that is out of reach is left alone."""


GIVEN_BACK = "given_back"


Measure = Callable[[Sequence[Result]], None]
"""Takes results that are written down, for metrics."""


MOST_TOLD = 100
"""How many routes a line of the log tells of: with the longest errors a quarter of a megabyte."""


Told = dict[str, str | int]
"""What somebody should know of a route that was finalised."""


_TOKEN = attrgetter("claim.token")


class Settled(Struct, frozen=True, kw_only=True):
    """What was written: how many routes of each status, or given back, and what is worth a line."""

    tally: Counter[str]
    told: dict[Status, list[Told]]


class _Planned:
    """The transitions of the routes of one claim."""

    def __init__(self) -> None:
        self.claims: dict[UUID, Claim] = {}
        self.published: dict[UUID, str] = {}
        self.again: dict[UUID, Retry | Doubt] = {}
        self.dead: dict[UUID, DeadLetter] = {}
        self.skipped: dict[UUID, str] = {}
        self.back: dict[GiveBack, list[Claim]] = {}
        self.deferred: dict[str, dict[UUID, str]] = {}

    def add(self, claim: Claim, transition: Transition) -> None:
        """Take the transition of a route."""
        match transition:
            case Publish():
                self.published[claim.route_id] = transition.message_id
                return
            case Retry() | Doubt():
                self.again[claim.route_id] = transition
            case DeadLetter():
                self.dead[claim.route_id] = transition
            case Skip():
                self.skipped[claim.route_id] = transition.reason
            case GiveBack():
                self.back.setdefault(transition, []).append(claim)
            case Defer():
                deferred = self.deferred.setdefault(transition.behind, {})
                deferred[claim.route_id] = transition.error
        self.claims[claim.route_id] = claim


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
        measure: Measure,
    ) -> None:
        self._backoff = backoff
        self._holds = holds
        self._pauses = pauses
        self._random = random
        self._log = log
        self._clock = clock
        self._sleep = sleep
        self._measure = measure

    def finalise(self, transaction: Transaction, results: Sequence[Result]) -> Settled:
        """Write the transitions of results within the caller's transaction; never commit.

        A route that no longer carries its claim's token is left as it is, but an acceptance of its
        email is put on record all the same.
        """
        _record_acceptances(transaction, results)
        settled = Settled(tally=Counter(), told={})
        for token, planned in self._planned(results).items():
            _write(transaction, token, planned, settled)
            _give_back(transaction, token, planned, self._holds, settled)
            self._defer(transaction, token, planned, settled)
        _bury_devices(transaction, results)
        return settled

    def conclude(self, store: ResultStore, delivery: Delivery, *, until: float) -> Counter[str]:
        """Settle delivered routes, share the state of the channel, then settle the other routes."""
        delivered = [one for one in delivery.results if isinstance(one.outcome, Delivered)]
        others = [one for one in delivery.results if not isinstance(one.outcome, Delivered)]
        try:
            tally = self.settle(store, delivered, until=until)
        finally:
            self._pauses.learn(store, delivery)
        return tally + self.settle(store, others, until=until)

    def settle(
        self, store: ResultStore, results: Sequence[Result], *, until: float
    ) -> Counter[str]:
        """Finalise and commit: the delivered first and by themselves, then the others.

        Returns how many routes were written, by status. One route that the store refuses must not
        undo the acceptances of its batch. A store that is busy or out of reach is tried again
        `until` a time on the clock: what is not written down by then will be sent again. Raises
        StoreError.
        """
        tally: Counter[str] = Counter()
        for part in _parts(results):
            tally += self._persist(store, part, until)
        return tally

    def _persist(self, store: ResultStore, part: Sequence[Result], until: float) -> Counter[str]:
        write = self._publish if isinstance(part[0].outcome, Delivered) else self._commit
        while True:
            try:
                tally = write(store, part)
                self._measure(part)
                return tally
            except (StoreUnavailable, StoreBusy):
                if self._clock() + PAUSE_SECONDS >= until:
                    raise
                self._sleep(PAUSE_SECONDS)

    def _publish(self, store: ResultStore, results: Sequence[Result]) -> Counter[str]:
        """Publish the delivered routes of one claim by one statement, which commits."""
        message_ids = {
            result.claim.route_id: result.outcome.message_id
            for result in results
            if isinstance(result.outcome, Delivered)
        }
        try:
            count = store.publish(results[0].claim.token, message_ids, _acceptances(results))
        except StoreFailed as error:
            return self._one_by_one(store, results, error)
        return Counter({Status.PUBLISHED: count})

    def _commit(self, store: ResultStore, results: Sequence[Result]) -> Counter[str]:
        try:
            with store.transaction() as transaction:
                settled = self.finalise(transaction, results)
        except StoreFailed as error:
            return self._one_by_one(store, results, error)
        for status, told in settled.told.items():
            self._tell(status, told)
        return settled.tally

    def _one_by_one(
        self, store: ResultStore, results: Sequence[Result], error: StoreFailed
    ) -> Counter[str]:
        tally: Counter[str] = Counter()
        if len(results) > 1:
            for result in results:
                tally += self._commit(store, [result])
            return tally
        claim = results[0].claim
        self._log.error(
            "notification route not finalised", route_id=str(claim.route_id), error=str(error)
        )
        return tally

    def _planned(self, results: Sequence[Result]) -> Mapping[UUID, _Planned]:
        """Return the transitions of results by the token of their claim."""
        by_token: dict[UUID, _Planned] = {}
        for token, claimed in groupby(results, key=_TOKEN):
            planned = by_token.setdefault(token, _Planned())
            for result in claimed:
                planned.add(result.claim, self._transition(result))
        return by_token

    def _transition(self, result: Result) -> Transition:
        if not isinstance(result.outcome, Delivered):
            ended = transitions.ended(result.claim)
            if ended is not None:
                return ended
        hold = self._holds.get(result.claim.channel, 0.0)
        return transitions.after(result.claim, result.outcome, self._backoff, self._random, hold)

    def _defer(
        self, transaction: Transaction, token: UUID, planned: _Planned, settled: Settled
    ) -> None:
        """Give refused routes back, each behind those that wait for the same resource."""
        for behind, errors in planned.deferred.items():
            claims = [planned.claims[route_id] for route_id in errors]
            settled.tally[GIVEN_BACK] += transaction.defer(
                token,
                {
                    claim.route_id: Deferral(
                        delay=self._pauses.patience(claim.refusals + 1),
                        error=errors[claim.route_id],
                    )
                    for claim in claims
                },
                # A lapsed route is claimed alone, so its token stands for itself.
                lapsed=claims[0].lapsed,
                hold=self._holds.get(claims[0].channel, 0.0),
                behind=behind,
            )

    def _tell(self, status: Status, told: Sequence[Told]) -> None:
        """Log what somebody should know, once it is committed: a line costs more than a route."""
        for first in range(0, len(told), MOST_TOLD):
            routes = told[first : first + MOST_TOLD]
            if status is Status.DEAD_LETTERED:
                self._log.warning("notification routes dead-lettered", routes=routes)
            elif status is Status.SKIPPED:
                self._log.info("notification routes skipped", routes=routes)
            else:
                self._log.info("notification routes retry scheduled", routes=routes)


def _parts(results: Sequence[Result]) -> list[list[Result]]:
    """Return the groups of results that share a transaction: delivered ones by claim, others."""
    delivered = (result for result in results if isinstance(result.outcome, Delivered))
    others = [result for result in results if not isinstance(result.outcome, Delivered)]
    parts = [list(claimed) for _, claimed in groupby(delivered, key=_TOKEN)]
    return [*parts, others] if others else parts


def _record_acceptances(transaction: Transaction, results: Sequence[Result]) -> None:
    """Keep the kind as the template's id: a route's kind never changes, its template may."""
    if acceptances := _acceptances(results):
        transaction.record_acceptances(acceptances)


def _acceptances(results: Sequence[Result]) -> list[tuple[str, UUID, str]]:
    return [
        (result.claim.kind, result.claim.route_id, result.outcome.message_id)
        for result in results
        if isinstance(result.outcome, Delivered) and result.claim.channel == Channel.EMAIL
    ]


def _write(transaction: Transaction, token: UUID, planned: _Planned, settled: Settled) -> None:
    """Write what ended, or is due again."""
    if planned.published:
        settled.tally[Status.PUBLISHED] += transaction.publish(token, planned.published)
    if planned.again:
        for route_id, due in transaction.retry(token, planned.again).items():
            told = _told(planned.claims[route_id], planned.again[route_id].error)
            told["next_attempt_at"] = due.isoformat()
            _note(settled, Status.RETRYING, told)
    if planned.dead:
        for route_id in transaction.dead_letter(token, planned.dead):
            end = planned.dead[route_id]
            told = _told(planned.claims[route_id], end.error or str(end.reason))
            _note(settled, Status.DEAD_LETTERED, told)
    if planned.skipped:
        for route_id in transaction.skip(token, planned.skipped):
            told = _told(planned.claims[route_id], planned.skipped[route_id])
            _note(settled, Status.SKIPPED, told)


def _told(claim: Claim, error: str) -> Told:
    return {
        "route_id": str(claim.route_id),
        "kind": claim.kind,
        "channel": claim.channel,
        "attempt": claim.attempts,
        "error": error,
        "trace_id": claim.trace_id,
    }


def _note(settled: Settled, status: Status, told: Told) -> None:
    settled.tally[status] += 1
    settled.told.setdefault(status, []).append(told)


def _give_back(
    transaction: Transaction,
    token: UUID,
    planned: _Planned,
    holds: Mapping[str, float],
    settled: Settled,
) -> None:
    """Give back what was not begun, by what it waits for."""
    for back, claims in planned.back.items():
        settled.tally[GIVEN_BACK] += transaction.give_back(
            token,
            [claim.route_id for claim in claims],
            # A lapsed route is claimed alone, so its token stands for itself.
            lapsed=claims[0].lapsed,
            hold=holds.get(claims[0].channel, 0.0),
            behind=back.behind,
            delay=back.delay,
        )


def _bury_devices(transaction: Transaction, results: Sequence[Result]) -> None:
    """Mark the devices dead whose endpoints are disabled or gone, even if the lease ran out."""
    found = {
        result.outcome.dead_endpoint: result.claim.route_id
        for result in results
        if isinstance(result.outcome, Permanent) and result.outcome.dead_endpoint is not None
    }
    for endpoint, route_id in sorted(found.items()):
        transaction.mark_device_dead(endpoint, route_id)
