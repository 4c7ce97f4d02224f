"""Tell all workers what one heard: which resources pause, and which are well again."""

from dovecote.deliver import Delivery
from dovecote.gate import MOST_REFUSED, NOBODY, Gate
from dovecote.model import Congested, Throttled, Unavailable
from dovecote.ports import Log, Store, StoreError
from dovecote.transitions import Backoff, Random

JITTER = 0.2
"""By how much a pause varies at random, so that nothing comes back in step."""


class Pauses:
    """Pauses grow with each in a row, from `base` to `most` seconds."""

    def __init__(self, *, base: float, most: float, random: Random, log: Log) -> None:
        self._base = base
        self._most = most
        self._random = random
        self._log = log
        self._patience = Backoff(base=base, factor=2, maximum=most, jitter=0)

    def patience(self, refusals: int) -> float:
        """Return the seconds by which a route waits longer than others, after so many refusals."""
        return self._patience.delay(refusals, self._random)

    def learn(self, store: Store, delivery: Delivery) -> None:
        """Write down what a batch heard of its channel and resources.

        Where the store does not take it, another batch will hear the same.
        """
        try:
            self._slow_down(store, delivery)
            self._learn(store, delivery.gate)
        except StoreError as error:
            self._log.error("notification channel state not kept", error=str(error))

    def _learn(self, store: Store, gate: Gate) -> None:
        channel = gate.standing.channel
        for outcome in gate.stopped.values():
            self._pause(store, outcome)
        narrow = gate.undecided.keys() | (gate.standing.refused.keys() & gate.accepted.keys())
        for resource in sorted((gate.tried | narrow) - gate.stopped.keys()):
            self._learn_of(store, gate, resource)
        if channel in gate.stopped or channel in gate.tried:
            return
        strained = gate.standing.unreached or gate.standing.unanswered
        if strained and channel in gate.answered:
            store.resume(channel)
        if gate.unreached or gate.unanswered:
            store.strain(channel, unreached=gate.unreached, unanswered=sorted(gate.unanswered))

    def _slow_down(self, store: Store, delivery: Delivery) -> None:
        """Count throttle answers for all workers; where they are congestion, lower the pace."""
        gate = delivery.gate
        channel, congestion = gate.standing.channel, gate.congestion
        if not congestion.is_news:
            return
        slowed_to = store.record_throttling(
            channel,
            congestion.counts(),
            Congested(
                pace=delivery.pace,
                accepted_share=congestion.accepted_share,
                probing=gate.standing.throttling.probing,
                since=gate.standing.throttling.since,
            )
            if congestion.detected
            else None,
        )
        if slowed_to is not None:
            self._log.info(
                "notification channel slowed down", channel=channel, per_second=round(slowed_to, 1)
            )
        if congestion.refuses_all and gate.throttled is not None and channel not in gate.stopped:
            self._pause(store, gate.throttled)

    def _learn_of(self, store: Store, gate: Gate, resource: str) -> None:
        """Store the answers of a resource that the batch probed, or that refused routes."""
        undecided = gate.undecided.get(resource, {})
        accepted = gate.works(resource)
        if undecided and not accepted:
            self._refused(store, gate, resource)
        elif resource in gate.tried and resource not in gate.answered:
            store.leave_untried(resource)
        elif resource in gate.tried:
            self._resume(store, resource, accepted=accepted)
        elif resource in gate.standing.refused:
            store.resume(resource, accepted=True)
        if undecided and accepted:
            store.record_refusals(resource, sorted(undecided), proven=True)

    def _refused(self, store: Store, gate: Gate, resource: str) -> None:
        """Pause a resource that refused routes and accepted none; one that worked before, later."""
        undecided = gate.undecided[resource]
        in_a_row = undecided.keys() | gate.standing.refused.get(resource, NOBODY)
        few = resource in gate.standing.proven and len(in_a_row) < MOST_REFUSED
        if few and resource not in gate.tried:
            store.record_refusals(resource, sorted(undecided), proven=False)
        else:
            self._pause(store, gate.refused[resource], longer=any(undecided.values()))

    def _pause(
        self, store: Store, outcome: Throttled | Unavailable, *, longer: bool = True
    ) -> None:
        pause = store.pause(
            outcome.resource,
            outcome.error,
            base=self._base,
            most=self._most,
            jitter=1 + JITTER * (2 * self._random() - 1),
            longer=longer,
        )
        if pause is not None:
            self._log.warning(
                "notification channel paused",
                resource=pause.resource,
                seconds=round(pause.seconds, 1),
                in_a_row=pause.in_a_row,
                error=outcome.error,
            )

    def _resume(self, store: Store, resource: str, *, accepted: bool) -> None:
        if store.resume(resource, accepted=accepted):
            self._log.info("notification channel resumed", resource=resource)
