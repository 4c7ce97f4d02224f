"""Finalise: write the results of claimed routes. Dispatch and submit share this finaliser."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from dovecote.channels.base import AnyChannel
from dovecote.core import transitions
from dovecote.core.backoff import Backoff, Random
from dovecote.core.claim import Claim
from dovecote.core.errors import StoreBusy, StoreError, StoreFailed, StoreUnavailable
from dovecote.core.outcome import Delivered, Permanent, Result
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.core.route import Status
from dovecote.core.transitions import Transition
from dovecote.dispatch.deliver import Delivery
from dovecote.dispatch.pauses import Pauses
from dovecote.dispatch.planned import Entry, Planned, Settled
from dovecote.dispatch.ports import BatchStore, Transaction

PAUSE_SECONDS = 0.5
"""How long a store that is out of reach is left alone."""

MOST_LOGGED = 100
"""The most routes in a line of the log: with the longest errors a quarter of a megabyte."""

LOGGED = {
    Status.DEAD_LETTERED: "dead-lettered",
    Status.SKIPPED: "skipped",
    Status.RETRYING: "retry scheduled",
}
"""The words of a line of the log for the routes that have a status now."""

Measure = Callable[[Sequence[Result]], None]
"""Measures results that are written, for metrics."""

_TOKEN = attrgetter("claim.token")


class Finaliser(Struct, kw_only=True):
    """Carry out the transitions of attempted routes."""

    backoff: Backoff
    channels: Mapping[str, AnyChannel]
    pauses: Pauses
    random: Random
    log: Log
    clock: Clock
    sleep: Sleep
    measure: Measure

    def finalise(self, transaction: Transaction, results: Sequence[Result]) -> Settled:
        """Write the transitions of results within the caller's transaction; never commit.

        A route that no longer carries its claim's token stays as it is, but the acceptance of its
        message is put on record all the same.
        """
        if acceptances := self._acceptances(results):
            transaction.record_acceptances(acceptances)
        settled = Settled(tally=Counter(), entries={})
        for planned in self._planned(results):
            planned.write(transaction, settled, self.pauses.patience)
        _mark_devices_dead(transaction, results)
        return settled

    def conclude(self, store: BatchStore, delivery: Delivery, *, until: float) -> Counter[str]:
        """Settle delivered routes, share the state of the channel, then settle the other routes."""
        delivered = [one for one in delivery.results if isinstance(one.outcome, Delivered)]
        others = [one for one in delivery.results if not isinstance(one.outcome, Delivered)]
        try:
            tally = self.settle(store, delivered, until=until)
        finally:
            self.pauses.learn(store, delivery)
        return tally + self.settle(store, others, until=until)

    def settle(self, store: BatchStore, results: Sequence[Result], *, until: float) -> Counter[str]:
        """Finalise and commit: the delivered first and by themselves, then the others.

        Returns how many routes were written, by status. One route that the store refuses must not
        undo the acceptances of its batch. A store that is busy or out of reach is retried `until` a
        time on the clock: messages that are not written by then will be sent again. Raises
        StoreError.
        """
        tally: Counter[str] = Counter()
        for part in parts(results):
            tally += self._persist(store, part, until)
        return tally

    def _persist(self, store: BatchStore, part: Sequence[Result], until: float) -> Counter[str]:
        write = self._publish if isinstance(part[0].outcome, Delivered) else self._commit
        while True:
            try:
                tally = write(store, part)
                self.measure(part)
                self._remove_secrets(store, part)
                return tally
            except (StoreUnavailable, StoreBusy):
                if self.clock() + PAUSE_SECONDS >= until:
                    raise
                self.sleep(PAUSE_SECONDS)

    def _remove_secrets(self, store: BatchStore, part: Sequence[Result]) -> None:
        """Remove the secret payloads whose last route ended; purge removes what this leaves."""
        secret = [result.claim.route_id for result in part if result.claim.secret]
        if secret:
            try:
                store.remove_secrets(secret)
            except StoreError as error:
                self.log.warning("secret payloads not removed", error=str(error))

    def _publish(self, store: BatchStore, results: Sequence[Result]) -> Counter[str]:
        """Publish the delivered routes of one claim by one statement, which commits."""
        message_ids = {
            result.claim.route_id: result.outcome.message_id
            for result in results
            if isinstance(result.outcome, Delivered)
        }
        try:
            count = store.publish(results[0].claim.token, message_ids, self._acceptances(results))
        except StoreFailed as error:
            return self._one_by_one(store, results, error)
        return Counter({Status.PUBLISHED: count})

    def _commit(self, store: BatchStore, results: Sequence[Result]) -> Counter[str]:
        try:
            with store.transaction() as transaction:
                settled = self.finalise(transaction, results)
        except StoreFailed as error:
            return self._one_by_one(store, results, error)
        for status, entries in settled.entries.items():
            self._log_routes(status, entries)
        return settled.tally

    def _one_by_one(
        self, store: BatchStore, results: Sequence[Result], error: StoreFailed
    ) -> Counter[str]:
        tally: Counter[str] = Counter()
        if len(results) > 1:
            for result in results:
                tally += self._commit(store, [result])
            return tally
        claim = results[0].claim
        self.log.error(
            "notification route not finalised", route_id=str(claim.route_id), error=str(error)
        )
        return tally

    def _planned(self, results: Sequence[Result]) -> Iterable[Planned]:
        """Return the transitions of results, by the claim that took the routes."""
        by_token: dict[UUID, Planned] = {}
        for result in results:
            token, hold = result.claim.token, self._hold(result.claim)
            planned = by_token.setdefault(token, Planned(token=token, hold=hold))
            planned.add(result.claim, self._transition(result, hold))
        return by_token.values()

    def _transition(self, result: Result, hold: float) -> Transition:
        if not isinstance(result.outcome, Delivered):
            ended = transitions.ended(result.claim)
            if ended is not None:
                return ended
        return transitions.after(result.claim, result.outcome, self.backoff, self.random, hold)

    def _hold(self, claim: Claim) -> float:
        channel = self.channels.get(claim.channel)
        return 0.0 if channel is None else channel.hold_seconds

    def _acceptances(self, results: Sequence[Result]) -> dict[UUID, str]:
        """Return the accepted message of each route whose channel keeps them."""
        keeping = {name for name, channel in self.channels.items() if channel.keeps_acceptances}
        return {
            result.claim.route_id: result.outcome.message_id
            for result in results
            if isinstance(result.outcome, Delivered) and result.claim.channel in keeping
        }

    def _log_routes(self, status: Status, entries: Sequence[Entry]) -> None:
        """Log routes once they are committed, many in a line: a line costs more than a route."""
        for first in range(0, len(entries), MOST_LOGGED):
            routes = entries[first : first + MOST_LOGGED]
            write = self.log.warning if status is Status.DEAD_LETTERED else self.log.info
            write(f"notification routes {LOGGED[status]}", routes=routes)


class EarlyWriter(Struct, kw_only=True):
    """Write the results of one batch during its delivery.

    Keeps results that the store refuses, and retries them after a pause at the earliest. Threads
    that share a writer take turns. `tally` counts the routes that were written.
    """

    finaliser: Finaliser
    store: BatchStore
    clock: Clock
    retry_at: float = -math.inf
    unwritten: list[Result] = []
    tally: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, results: Sequence[Result]) -> None:
        """Write results, and those that were kept; raise nothing."""
        with self.lock:
            self.unwritten += results
            if self.clock() >= self.retry_at:
                self._write()

    def _write(self) -> None:
        results, self.unwritten = self.unwritten, []
        for part in parts(results):
            try:
                self.tally += self.finaliser.settle(self.store, part, until=0)
            except StoreError:
                self.unwritten += part
                self.retry_at = self.clock() + PAUSE_SECONDS

    def complete(self, delivery: Delivery) -> Delivery:
        """Return the delivery with the results that are still to be written."""
        return replace(delivery, results=[*self.unwritten, *delivery.results])


def parts(results: Sequence[Result]) -> list[list[Result]]:
    """Return the groups of results that share a transaction: delivered ones by claim, others."""
    delivered = (result for result in results if isinstance(result.outcome, Delivered))
    others = [result for result in results if not isinstance(result.outcome, Delivered)]
    groups = [list(claimed) for _, claimed in groupby(delivered, key=_TOKEN)]
    return [*groups, others] if others else groups


def _mark_devices_dead(transaction: Transaction, results: Sequence[Result]) -> None:
    """Mark the devices dead whose endpoints are disabled or gone, even if the lease ran out."""
    found = {
        result.outcome.dead_endpoint: result.claim.route_id
        for result in results
        if isinstance(result.outcome, Permanent) and result.outcome.dead_endpoint is not None
    }
    for endpoint, route_id in sorted(found.items()):
        transaction.mark_device_dead(endpoint, route_id)
