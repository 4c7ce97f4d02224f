"""Deliver claims: find the channel of each, and never send what is on record as accepted."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from dovecote import model, transitions
from dovecote.model import Claim, Delivered, Failed, NotBegun, Outcome, Result
from dovecote.ports import Channel, Clock, Store


class Deliver:
    """Perform deliveries within a lease and the time that is left."""

    def __init__(
        self,
        *,
        store: Store,
        channels: Mapping[str, Channel],
        clock: Clock,
        send_seconds: float,
    ) -> None:
        self._store = store
        self._channels = channels
        self._clock = clock
        self._send_seconds = send_seconds

    def __call__(self, claims: Sequence[Claim], *, deadline: float) -> list[Result]:
        """Deliver claims by `deadline` on the clock, when the lease or the function's time ends.

        No send is begun that the time could not cover. A claim whose send did not answer in time
        is left out, and its lease runs out; what came of it since is among the results of a later
        call, for its acceptance must not be forgotten.
        """
        late = [result for channel in self._channels.values() for result in channel.late()]
        outcomes = self._without_a_send(claims)
        left = [claim for claim in claims if claim.route_id not in outcomes]
        outcomes |= self._sent(left, deadline - self._send_seconds)
        return late + [
            Result(claim=claim, outcome=outcomes[claim.route_id])
            for claim in claims
            if claim.route_id in outcomes
        ]

    def _without_a_send(self, claims: Sequence[Claim]) -> dict[UUID, Outcome]:
        """Return the outcomes that are known before anything is sent."""
        known = self._accepted(claims)
        outcomes: dict[UUID, Outcome] = {}
        for claim in claims:
            if claim.route_id in known:
                outcomes[claim.route_id] = Delivered(message_id=known[claim.route_id])
            elif transitions.ended(claim):
                outcomes[claim.route_id] = NotBegun()
            elif claim.channel not in self._channels:
                outcomes[claim.route_id] = Failed(error="unknown channel")
        return outcomes

    def _accepted(self, claims: Sequence[Claim]) -> dict[UUID, str]:
        """Return the message ids of emails that an attempt before this one saw accepted."""
        again = [
            (claim.kind, claim.route_id)
            for claim in claims
            if claim.channel == model.Channel.EMAIL and claim.claims > 1
        ]
        return self._store.accepted(again) if again else {}

    def _sent(self, claims: Sequence[Claim], begin_before: float) -> dict[UUID, Outcome]:
        """Hand each channel its claims, the channels side by side."""
        batches: dict[str, list[Claim]] = {}
        for claim in claims:
            batches.setdefault(claim.channel, []).append(claim)
        outcomes: dict[UUID, Outcome] = {}
        if not batches:
            return outcomes
        with ThreadPoolExecutor(max_workers=len(batches)) as executor:
            for delivered in executor.map(
                lambda name: self._channels[name].deliver(batches[name], begin_before), batches
            ):
                outcomes |= delivered
        return outcomes
