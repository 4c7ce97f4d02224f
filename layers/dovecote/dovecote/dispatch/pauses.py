"""Share the answers of one batch with all workers: which resources pause, and which resume."""

from msgspec import Struct

from dovecote.core.backoff import Backoff, Random
from dovecote.core.channel_state import Congested
from dovecote.core.errors import StoreError
from dovecote.core.outcome import Throttled, Unavailable
from dovecote.core.ports import Log
from dovecote.dispatch.deliver import Delivery
from dovecote.dispatch.ports import BatchStore
from dovecote.dispatch.sending.circuit_breaker import MOST_REFUSED, NO_ROUTES, CircuitBreaker

JITTER = 0.2
"""By how much a pause varies at random, so that workers do not return at the same moment."""


class Pauses(Struct, kw_only=True):
    """Pauses grow with each in a row, from `base` to `most` seconds."""

    base: float
    most: float
    random: Random
    log: Log

    def patience(self, refusals: int) -> float:
        """Return the seconds by which a route waits longer than others, after so many refusals."""
        growing = Backoff(base=self.base, factor=2, maximum=self.most, jitter=0)
        return growing.delay(refusals, self.random)

    def learn(self, store: BatchStore, delivery: Delivery) -> None:
        """Store what the answers to a batch say about its channel and resources.

        Where the store is out of reach, the answers to another batch will say the same.
        """
        try:
            self._slow_down(store, delivery)
            self._learn(store, delivery.breaker)
        except StoreError as error:
            self.log.error("notification channel state not kept", error=str(error))

    def _learn(self, store: BatchStore, breaker: CircuitBreaker) -> None:
        channel = breaker.channel_state.channel
        for outcome in breaker.stopped.values():
            self._pause(store, outcome)
        narrow = breaker.undecided.keys() | (
            breaker.channel_state.refused.keys() & breaker.accepted.keys()
        )
        for resource in sorted((breaker.probing | narrow) - breaker.stopped.keys()):
            self._learn_of(store, breaker, resource)
        if channel in breaker.stopped or channel in breaker.probing:
            return
        has_failures = breaker.channel_state.unreached or breaker.channel_state.unanswered
        if has_failures and channel in breaker.answered:
            store.resume(channel)
        if breaker.unreached or breaker.unanswered:
            store.record_failures(
                channel, unreached=breaker.unreached, unanswered=sorted(breaker.unanswered)
            )

    def _slow_down(self, store: BatchStore, delivery: Delivery) -> None:
        """Count throttle answers for all workers; where they are congestion, lower the pace."""
        breaker = delivery.breaker
        channel, congestion = breaker.channel_state.channel, breaker.congestion
        if not congestion.is_news:
            return
        throttling = breaker.channel_state.throttling
        congested = Congested(
            pace=delivery.pace,
            accepted_share=congestion.accepted_share,
            probing=throttling.probing,
            since=throttling.since,
        )
        slowed_to = store.record_throttling(
            channel, congestion.counts(), congested if congestion.detected else None
        )
        if slowed_to is not None:
            self.log.info(
                "notification channel slowed down", channel=channel, per_second=round(slowed_to, 1)
            )
        if breaker.refuses_all and breaker.throttled is not None and channel not in breaker.stopped:
            self._pause(store, breaker.throttled)

    def _learn_of(self, store: BatchStore, breaker: CircuitBreaker, resource: str) -> None:
        """Store the answers of a resource that the batch probed, or that refused routes."""
        undecided = breaker.undecided.get(resource, {})
        accepted = breaker.accepts(resource)
        if undecided and not accepted:
            self._refused(store, breaker, resource)
        elif resource in breaker.probing and resource not in breaker.answered:
            store.release_probe(resource)
        elif resource in breaker.probing:
            if store.resume(resource, accepted=accepted):
                self.log.info("notification channel resumed", resource=resource)
        elif resource in breaker.channel_state.refused:
            store.resume(resource, accepted=True)
        if undecided and accepted:
            store.record_refusals(resource, sorted(undecided), proven=True)

    def _refused(self, store: BatchStore, breaker: CircuitBreaker, resource: str) -> None:
        """Pause a resource that refused routes and accepted none.

        A resource that accepted routes after earlier trouble pauses after several refused routes.
        """
        undecided = breaker.undecided[resource]
        in_a_row = undecided.keys() | breaker.channel_state.refused.get(resource, NO_ROUTES)
        few = resource in breaker.channel_state.proven and len(in_a_row) < MOST_REFUSED
        if few and resource not in breaker.probing:
            store.record_refusals(resource, sorted(undecided), proven=False)
        else:
            self._pause(store, breaker.refused[resource], longer=any(undecided.values()))

    def _pause(
        self, store: BatchStore, outcome: Throttled | Unavailable, *, longer: bool = True
    ) -> None:
        pause = store.pause(
            outcome.resource,
            outcome.error,
            base=self.base,
            most=self.most,
            jitter=1 + JITTER * (2 * self.random() - 1),
            longer=longer,
        )
        if pause is not None:
            self.log.warning(
                "notification channel paused",
                resource=pause.resource,
                seconds=round(pause.seconds, 1),
                in_a_row=pause.in_a_row,
                error=outcome.error,
            )
