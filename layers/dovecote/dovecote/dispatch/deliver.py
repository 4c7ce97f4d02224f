"""Deliver claims: send those that need a send, and no message that is on record as accepted."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from dovecote.channels.base import AnyChannel
from dovecote.core import transitions
from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import (
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Result,
    Unavailable,
)
from dovecote.core.ports import Clock, Span
from dovecote.dispatch.ports import BatchStore
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.failures import attempt
from dovecote.dispatch.sending.probe import probes_first
from dovecote.dispatch.sending.sender import Early, Sender

Settle = Callable[[Sequence[Result]], None]
"""Writes results at once."""

LEAST_SECONDS = 0.05
"""A shorter batch measures no pace."""


class Delivery(Struct, frozen=True, kw_only=True):
    """The results of a batch, the answers of its channel, and its sends per second."""

    results: Sequence[Result]
    breaker: CircuitBreaker
    pace: float = 0.0


class _EarlyResults(Struct):
    """Settles results before their batch is over, and late ones of earlier batches at once.

    Keeps refusals until the batch is over, since the answers to other routes decide their cause.
    """

    settle: Settle
    sender: Sender
    refused: list[Result] = []

    def __call__(self, results: Sequence[Result]) -> None:
        self.refused += [one for one in results if isinstance(one.outcome, Unavailable)]
        decided = [one for one in results if not isinstance(one.outcome, Unavailable)]
        self.settle([*self.sender.late(), *decided])


class Deliver(Struct, kw_only=True):
    """Perform deliveries within a lease and the time that is left."""

    store: BatchStore
    senders: Mapping[str, Sender]
    clock: Clock
    send_seconds: float
    span: Span

    def __call__(
        self,
        claims: Sequence[Claim],
        *,
        channel_state: ChannelState,
        slots: SendSlots,
        deadline: float,
        probing: frozenset[str] = frozenset(),
        stopped: set[str] | None = None,
        recently_accepted: Collection[str] = (),
        settle: Settle | None = None,
    ) -> Delivery:
        """Deliver claims of one channel by `deadline` on the clock, when lease or time ends.

        Begins no send that the time could not cover. A claim whose send has no answer in time is
        left out, and its lease runs out; a later call settles or returns its result, so that an
        acceptance is not forgotten. This worker has the right to probe the resources in `probing`,
        and acquires the right to others that the claims need. Concurrent batches share `stopped`.
        `settle` writes accepted messages at once and other results about once a second; they are
        not returned. The breaker judges a refusal when the batch is over, since other routes may
        explain it. The batch has a span, which is linked to the traces of its claims.
        """
        sender = self.senders.get(channel_state.channel)
        if sender is None:
            return _unknown_channel(claims, channel_state)
        outcomes = self._without_a_send(claims, sender.channel)
        left = [one for one in claims if one.route_id not in outcomes] if outcomes else claims
        early = None if settle is None else _EarlyResults(settle, sender)
        if early is not None:
            early([])  # writes late results
        acquired = self._acquire_probes(sender.channel, left, channel_state, probing)
        breaker = CircuitBreaker(channel_state, probing | acquired, stopped, recently_accepted)
        left = probes_first(left, sender.channel.resources, acquired) if acquired else left
        begin_before = deadline - self.send_seconds
        sent, pace = self._send(sender, left, begin_before, slots, breaker, early)
        results = _results(claims, outcomes | sent) + ([] if early is None else early.refused)
        results = [*sender.late(), *_decided(results, breaker)]
        return Delivery(results=results, breaker=breaker, pace=pace)

    def _send(
        self,
        sender: Sender,
        claims: Sequence[Claim],
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: Early | None,
    ) -> tuple[dict[UUID, Outcome], float]:
        """Send claims in a span; then those that waited for a resource which accepts again.

        Return their outcomes, and the sends per second: as reserved, or as measured without a rate.
        """
        send = partial(sender.send, begin_before=begin_before, breaker=breaker, early=early)
        begun = self.clock()
        with self.span("notification.deliver", *(claim.traceparent for claim in claims)):
            outcomes = send(claims, slots=slots)
            if breaker.reopened:
                kept = [one for one in claims if _reopened(outcomes.get(one.route_id), breaker)]
                soon = SendSlots(room=len(kept), spacing=slots.spacing)
                outcomes |= send(kept, slots=soon)
        seconds = max(self.clock() - begun, LEAST_SECONDS)
        return outcomes, 1 / slots.spacing if slots.spacing else len(claims) / seconds

    def _without_a_send(self, claims: Sequence[Claim], channel: AnyChannel) -> dict[UUID, Outcome]:
        """Return the outcomes that are known before anything is sent."""

        def unsent(claim: Claim) -> Outcome | None:
            return self._unsent(claim, channel)

        known = self._accepted(claims) if channel.keeps_acceptances else {}
        outcomes: dict[UUID, Outcome] = {}
        for claim in claims:
            if known and claim.route_id in known:
                outcomes[claim.route_id] = Delivered(message_id=known[claim.route_id])
            elif (outcome := attempt(unsent, claim)) is not None:
                outcomes[claim.route_id] = outcome
        return outcomes

    def _unsent(self, claim: Claim, channel: AnyChannel) -> Outcome | None:
        """Return why a claim is not sent, or None; raise what the channel raises."""
        outcome = transitions.unsent(claim)
        if outcome is None:
            channel.resources(claim)  # from here on this raises nothing
        return outcome

    def _accepted(self, claims: Sequence[Claim]) -> dict[UUID, str]:
        """Return the message ids of routes that an earlier attempt saw accepted."""
        again = [claim.route_id for claim in claims if claim.claims > 1]
        return self.store.accepted(again) if again else {}

    def _acquire_probes(
        self,
        channel: AnyChannel,
        claims: Sequence[Claim],
        channel_state: ChannelState,
        probing: frozenset[str],
    ) -> frozenset[str]:
        """Acquire the right to probe what these claims need after its pause, where it is free."""
        if not channel_state.recovering:
            return frozenset()
        used = {resource for claim in claims for resource in channel.resources(claim)}
        wanted = (used & channel_state.recovering) - probing - {channel_state.channel}
        seconds = self.send_seconds * 2
        return frozenset(
            resource for resource in wanted if self.store.acquire_probe(resource, seconds)
        )


def _unknown_channel(claims: Sequence[Claim], channel_state: ChannelState) -> Delivery:
    failed = Failed(error="unknown channel")
    results = [Result(claim=claim, outcome=transitions.unsent(claim) or failed) for claim in claims]
    return Delivery(results=results, breaker=CircuitBreaker(channel_state))


def _reopened(outcome: Outcome | None, breaker: CircuitBreaker) -> bool:
    """Return whether a send waited for a resource that has accepted one since."""
    return isinstance(outcome, NotBegun) and outcome.behind in breaker.reopened


def _decided(results: Sequence[Result], breaker: CircuitBreaker) -> Sequence[Result]:
    """Return results with the outcome that each refusal counts as."""
    if not breaker.refused:
        return results
    return [replace(one, outcome=breaker.decide(one.claim, one.outcome)) for one in results]


def _results(claims: Sequence[Claim], outcomes: Mapping[UUID, Outcome]) -> list[Result]:
    return [
        Result(claim=claim, outcome=outcome)
        for claim in claims
        if (outcome := outcomes.get(claim.route_id)) is not None
    ]
