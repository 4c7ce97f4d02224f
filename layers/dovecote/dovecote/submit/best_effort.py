"""Try the first routes of a notification as soon as it is stored."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from msgspec.structs import replace

from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.notification import Stored
from dovecote.core.ports import Clock, Log, TimeLimits
from dovecote.core.route import Route
from dovecote.dispatch.deliver import Deliver, Delivery
from dovecote.dispatch.finalise import EarlyWriter, Finaliser
from dovecote.dispatch.ports import BatchStore
from dovecote.submit.ports import Submissions

SETTLE_SECONDS = 3.0
"""What the database may take of the best effort beyond its budget."""

AT_ONCE_SECONDS = 0.2
"""How soon the rate must have room for a send; dispatch sends what is left."""


class BestEffort:
    """Deliver claimed routes once, within a deadline."""

    def __init__(
        self,
        *,
        notifications: Submissions,
        store: BatchStore,
        limits: TimeLimits,
        deliver: Deliver,
        finaliser: Finaliser,
        clock: Clock,
        log: Log,
    ) -> None:
        self._notifications = notifications
        self._store = store
        self._limits = limits
        self._deliver = deliver
        self._finaliser = finaliser
        self._clock = clock
        self._log = log

    def __call__(self, stored: Sequence[Stored], ends: float) -> Mapping[UUID, Sequence[Route]]:
        """Try the claimed routes; return all routes of their notifications afterwards.

        Return nothing after an error: the routes are stored, so the producer never sees a failure
        and dispatch retries them.
        """
        claims = [claim for one in stored for claim in one.claims]
        if not claims:
            return {}
        try:
            with self._limits.within(ends - self._clock() + SETTLE_SECONDS):
                self._try(claims, ends)
                ids = [one.notification_id for one in stored if one.claims]
                read = [self._notifications.notification(one) for one in ids]
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is 202
            self._log.debug("best effort failed", error=type(error).__name__)
            return {}
        return {one.notification_id: one.routes for one in read if one is not None}

    def _try(self, claims: Sequence[Claim], deadline: float) -> None:
        """Deliver claims, the channels in parallel, and write their results."""
        by_channel: dict[str, list[Claim]] = {}
        for claim in claims:
            by_channel.setdefault(claim.channel, []).append(claim)
        batches = [
            (batch, *self._channel_state(channel, len(batch)))
            for channel, batch in sorted(by_channel.items())
        ]

        early = EarlyWriter(finaliser=self._finaliser, store=self._store, clock=self._clock)

        def deliver(batch: tuple[Sequence[Claim], ChannelState, SendSlots]) -> Delivery:
            claims, channel_state, slots = batch
            with self._limits.within(deadline - self._clock() + SETTLE_SECONDS):
                return self._deliver(
                    claims,
                    channel_state=channel_state,
                    slots=slots,
                    deadline=deadline,
                    settle=early,
                )

        with ThreadPoolExecutor(max_workers=len(batches)) as executor:
            first, *others = executor.map(deliver, batches)
        for delivery in (early.complete(first), *others):
            self._finaliser.conclude(self._store, delivery, until=deadline)

    def _channel_state(self, channel: str, wanted: int) -> tuple[ChannelState, SendSlots]:
        """Return the state of a channel, and the sends that its rate has room for at once.

        Dispatch probes what was paused.
        """
        channel_state = self._store.channel_state(channel)
        channel_state = replace(
            channel_state,
            paused=channel_state.paused | channel_state.recovering,
            recovering=frozenset(),
        )
        if not channel_state.is_paced or channel in channel_state.paused:
            return channel_state, SendSlots(room=wanted)
        return channel_state, self._store.reserve(channel, wanted, AT_ONCE_SECONDS)
