"""Tell all workers what one heard: which resources pause, and which are well again."""

from dovecote.deliver import Delivery
from dovecote.gate import Gate
from dovecote.model import Congested, Throttled, Unavailable
from dovecote.ports import Log, Store, StoreError
from dovecote.transitions import Random

JITTER = 0.2
"""By how much a pause varies at random, so that nothing comes back in step."""


class Pauses:
    """Pauses grow with each in a row, from `base` to `most` seconds."""

    def __init__(self, *, base: float, most: float, random: Random, log: Log) -> None:
        self._base = base
        self._most = most
        self._random = random
        self._log = log

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
        for outcome in gate.stopped.values():
            self._pause(store, outcome)
        channel = gate.standing.channel
        for resource in gate.tried - gate.stopped.keys():
            if resource in gate.answered:
                self._resume(store, resource)
            else:
                store.leave_untried(resource)
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

    def _pause(self, store: Store, outcome: Throttled | Unavailable) -> None:
        pause = store.pause(
            outcome.resource,
            outcome.error,
            base=self._base,
            most=self._most,
            jitter=1 + JITTER * (2 * self._random() - 1),
        )
        if pause is not None:
            self._log.warning(
                "notification channel paused",
                resource=pause.resource,
                seconds=round(pause.seconds, 1),
                in_a_row=pause.in_a_row,
                error=outcome.error,
            )

    def _resume(self, store: Store, resource: str) -> None:
        if store.resume(resource):
            self._log.info("notification channel resumed", resource=resource)
