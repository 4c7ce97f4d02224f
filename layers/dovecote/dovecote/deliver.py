"""Deliver claims: find the channel of each, and never send what is on record as accepted."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from msgspec import Struct

from dovecote import model, transitions
from dovecote.attempts import attempt
from dovecote.gate import Gate
from dovecote.model import Claim, Delivered, Failed, Outcome, Permanent, Result, Slots, Standing
from dovecote.ports import Channel, Clock, Span, Store

Settle = Callable[[Sequence[Result]], None]
"""Takes results to write them down at once."""

Check = Callable[[Claim], str | None]
"""Says why the payload of a claim cannot be sent, or nothing."""


class Delivery(Struct, frozen=True, kw_only=True):
    """What became of a batch, and what was heard of its channel."""

    results: Sequence[Result]
    gate: Gate


class Deliver:
    """Perform deliveries within a lease and the time that is left."""

    def __init__(
        self,
        *,
        store: Store,
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
        standing: Standing,
        slots: Slots,
        deadline: float,
        tried: frozenset[str] = frozenset(),
        heard_beside: set[str] | None = None,
        settle: Settle | None = None,
    ) -> Delivery:
        """Deliver claims of one channel by `deadline` on the clock, when lease or time ends.

        No send is begun that the time could not cover. A claim whose send did not answer in time
        is left out, and its lease runs out; what came of it since is among the results of a later
        call, for its acceptance must not be forgotten. `tried` are the resources that this worker
        tries after their pause; it takes the right to others as it comes to them. What deliveries
        that are under way at the same time hear of as stopped is `heard_beside` by all. While slow
        sends are waited for, `settle` takes the results of others, which are not returned then.
        The batch has a span, which is linked to the traces of its claims.
        """
        channel = self._channels.get(standing.channel)
        outcomes = self._without_a_send(claims, channel)
        left = claims
        if outcomes:
            left = [claim for claim in claims if claim.route_id not in outcomes]
        if channel is None:
            outcomes |= {claim.route_id: Failed(error="unknown channel") for claim in left}
            return Delivery(results=_results(claims, outcomes), gate=Gate(standing))
        late = channel.late()
        tried |= self._taken(channel, left, standing, tried)
        gate = Gate(standing, tried, heard_beside)
        early = None if settle is None else partial(_settle_early, settle, claims)
        with self._span("notification.deliver", *(claim.traceparent for claim in left)):
            outcomes |= channel.deliver(left, deadline - self._send_seconds, slots, gate, early)
        return Delivery(results=[*late, *_results(claims, outcomes)], gate=gate)

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
            if claim.channel == model.Channel.EMAIL and claim.claims > 1
        ]
        return self._store.accepted(again) if again else {}

    def _taken(
        self,
        channel: Channel,
        claims: Sequence[Claim],
        standing: Standing,
        tried: frozenset[str],
    ) -> frozenset[str]:
        """Take the right to try what has paused, is in this batch, and is nobody's to try yet."""
        if not standing.recovering:
            return frozenset()
        used = {resource for claim in claims for resource in channel.resources(claim)}
        wanted = (used & standing.recovering) - tried - {standing.channel}
        seconds = self._send_seconds * 2
        return frozenset(
            resource for resource in wanted if self._store.try_resource(resource, seconds)
        )


def _settle_early(
    settle: Settle, claims: Sequence[Claim], outcomes: Mapping[UUID, Outcome]
) -> None:
    settle(_results(claims, outcomes))


def _results(claims: Sequence[Claim], outcomes: Mapping[UUID, Outcome]) -> list[Result]:
    return [
        Result(claim=claim, outcome=outcome)
        for claim in claims
        if (outcome := outcomes.get(claim.route_id)) is not None
    ]
