"""The interface of a channel."""

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import Outcome, Result
from dovecote.dispatch.circuit_breaker import CircuitBreaker

Early = Callable[[Sequence[Result]], None]
"""Takes results while others of the batch are under way; it is called about once a second even
where there are none, and raises nothing."""


class Channel(Protocol):
    """A way out: a batch of claims in, an outcome for each out.

    A claim that has none when the time is over is left out: its lease runs out by itself.
    """

    def late(self) -> list[Result]:
        """Return what earlier claims that were left out came to since, each once."""

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return what a claim is sent through: the channel, and its identity or application."""

    def deliver(
        self,
        claims: Sequence[Claim],
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Deliver claims in their slots, as the gate lets them; return what `early` did not take.

        Begins no send after `begin_before` on the monotonic clock.
        """
