"""Deliver claims: find the channel of each, and never send what is on record as accepted."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from dovecote.channels.base import Channel, Early
from dovecote.core import route, transitions
from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import (
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Permanent,
    Result,
    Unavailable,
)
from dovecote.core.ports import Clock, Span
from dovecote.dispatch.attempts import attempt
from dovecote.dispatch.circuit_breaker import CircuitBreaker
from dovecote.dispatch.ports import DeliverStore
from dovecote.dispatch.probe import probes_first

Settle = Callable[[Sequence[Result]], None]
"""Takes results to write them down at once."""

Check = Callable[[Claim], str | None]
"""Says why the payload of a claim cannot be sent, or nothing."""


LEAST_SECONDS = 0.05
"""A shorter batch tells no pace."""


class Delivery(Struct, frozen=True, kw_only=True):
    """The results of a batch, the answers of its channel, and its sends per second."""

    results: Sequence[Result]
    breaker: CircuitBreaker
    pace: float = 0.0


class Deliver:
    """Perform deliveries within a lease and the time that is left."""

    def __init__(
        self,
        *,
        store: DeliverStore,
        channels: Mapping[str, Channel],
        check: Check,
        clock: Clock,
        send_seconds: float,
        span: Span,
    ) -> None:
        self._store = store
        self._channels = channels
        self._check = check
        self._clock = clock
        self._send_seconds = send_seconds
        self._span = span

    def __call__(
        self,
        claims: Sequence[Claim],
        *,
        channel_state: ChannelState,
        slots: SendSlots,
        deadline: float,
        tried: frozenset[str] = frozenset(),
        stopped_resources: set[str] | None = None,
        worked: Collection[str] = (),
        settle: Settle | None = None,
    ) -> Delivery:
        """Deliver claims of one channel by `deadline` on the clock, when lease or time ends.

        No send is begun that the time could not cover. A claim whose send did not answer in time
        is left out, and its lease runs out; a later call settles or returns its result, for its
        acceptance must not be forgotten. `tried` are the resources that this worker tries after
        their pause; it takes the right to others as it comes to them. What deliveries that are
        under way at the same time hear of as stopped is `heard_beside` by all. `worked` are the
        resources through which the run sent a few seconds ago. `settle` takes accepted messages at
        once and other results now and then; they are not returned. A refusal is judged when the
        batch is over, since other routes may explain it. The batch has a span, which is linked to
        the traces of its claims.
        """
        channel = self._channels.get(channel_state.channel)
        outcomes = self._without_a_send(claims, channel)
        left = claims
        if outcomes:
            left = [claim for claim in claims if claim.route_id not in outcomes]
        if channel is None:
            outcomes |= {claim.route_id: Failed(error="unknown channel") for claim in left}
            return Delivery(
                results=_results(claims, outcomes), breaker=CircuitBreaker(channel_state)
            )
        refused: list[Result] = []
        early = None if settle is None else partial(_settle_early, settle, channel, refused)
        if early is not None:
            early([])
        taken = self._taken(channel, left, channel_state, tried)
        if taken:
            left = probes_first(left, channel.resources, taken)
        breaker = CircuitBreaker(channel_state, tried | taken, stopped_resources, worked)
        begun = self._clock()
        with self._span("notification.deliver", *(claim.traceparent for claim in left)):
            outcomes |= _sent(channel, left, deadline - self._send_seconds, slots, breaker, early)
        results = [*_results(claims, outcomes), *refused]
        if breaker.refused:
            results = [_decided(result, breaker) for result in results]
        return Delivery(
            results=[*channel.late(), *results],
            breaker=breaker,
            pace=_pace(slots, len(left), self._clock() - begun),
        )

    def _without_a_send(
        self, claims: Sequence[Claim], channel: Channel | None
    ) -> dict[UUID, Outcome]:
        """Return the outcomes that are known before anything is sent."""

        def unsent(claim: Claim) -> Outcome | None:
            return self._unsent(claim, channel)

        known = self._accepted(claims)
        outcomes: dict[UUID, Outcome] = {}
        for claim in claims:
            if known and claim.route_id in known:
                outcomes[claim.route_id] = Delivered(message_id=known[claim.route_id])
            elif (outcome := attempt(unsent, claim)) is not None:
                outcomes[claim.route_id] = outcome
        return outcomes

    def _unsent(self, claim: Claim, channel: Channel | None) -> Outcome | None:
        """Return why a claim is not sent, or None; raises what the schema or the channel raises."""
        outcome = transitions.unsent(claim)
        if outcome is None and claim.unchecked and (refusal := self._check(claim)) is not None:
            return Permanent(error=refusal, asked=False)
        if outcome is None and channel is not None:
            channel.resources(claim)  # from here on this raises nothing
        return outcome

    def _accepted(self, claims: Sequence[Claim]) -> dict[UUID, str]:
        """Return the message ids of emails that an attempt before this one saw accepted."""
        again = [
            (claim.kind, claim.route_id)
            for claim in claims
            if claim.channel == route.Channel.EMAIL and claim.claims > 1
        ]
        return self._store.accepted(again) if again else {}

    def _taken(
        self,
        channel: Channel,
        claims: Sequence[Claim],
        channel_state: ChannelState,
        tried: frozenset[str],
    ) -> frozenset[str]:
        """Take the right to try what has paused, is in this batch, and is nobody's to try yet."""
        if not channel_state.recovering:
            return frozenset()
        used = {resource for claim in claims for resource in channel.resources(claim)}
        wanted = (used & channel_state.recovering) - tried - {channel_state.channel}
        seconds = self._send_seconds * 2
        return frozenset(
            resource for resource in wanted if self._store.acquire_probe(resource, seconds)
        )


def _sent(
    channel: Channel,
    claims: Sequence[Claim],
    begin_before: float,
    slots: SendSlots,
    breaker: CircuitBreaker,
    early: Early | None,
) -> dict[UUID, Outcome]:
    """Send claims; then those that a resource kept from beginning which accepts again."""
    outcomes = channel.deliver(claims, begin_before, slots, breaker, early)
    if breaker.reopened:
        kept = [one for one in claims if _reopened(outcomes.get(one.route_id), breaker)]
        soon = SendSlots(room=len(kept), spacing=slots.spacing)
        outcomes |= channel.deliver(kept, begin_before, soon, breaker, early)
    return outcomes


def _pace(slots: SendSlots, count: int, seconds: float) -> float:
    """Return how many sends a second a batch made: those reserved, or those seen without a rate."""
    return 1 / slots.spacing if slots.spacing else count / max(seconds, LEAST_SECONDS)


def _settle_early(
    settle: Settle, channel: Channel, refused: list[Result], results: Sequence[Result]
) -> None:
    """Settle results, and late ones of earlier batches; keep refusals until the batch is over."""
    refused += [one for one in results if isinstance(one.outcome, Unavailable)]
    decided = [one for one in results if not isinstance(one.outcome, Unavailable)]
    settle([*channel.late(), *decided])


def _reopened(outcome: Outcome | None, breaker: CircuitBreaker) -> bool:
    """Tell whether a send was kept from beginning by a resource that has accepted one since."""
    return isinstance(outcome, NotBegun) and outcome.behind in breaker.reopened


def _decided(result: Result, breaker: CircuitBreaker) -> Result:
    return replace(result, outcome=breaker.decided(result.claim, result.outcome))


def _results(claims: Sequence[Claim], outcomes: Mapping[UUID, Outcome]) -> list[Result]:
    return [
        Result(claim=claim, outcome=outcome)
        for claim in claims
        if (outcome := outcomes.get(claim.route_id)) is not None
    ]
