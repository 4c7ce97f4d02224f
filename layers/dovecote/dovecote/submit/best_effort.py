"""Try the first routes of a notification as soon as it is stored."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, wait
from contextvars import copy_context
from uuid import UUID

from msgspec.structs import replace

from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.notification import Stored
from dovecote.core.ports import Clock, Log, TimeLimits
from dovecote.core.route import Route, Status
from dovecote.dispatch.deliver import Deliver, Delivery
from dovecote.dispatch.finalise import EarlyWriter, Finaliser
from dovecote.submit.ports import InlineStore, Submissions

SETTLE_SECONDS = 3.0
"""What the database may take of the best effort beyond its budget."""

AT_ONCE_SECONDS = 0.2
"""How soon the rate must have room for a send; dispatch sends what is left."""

Batch = tuple[Sequence[Claim], ChannelState, SendSlots]
"""The claims of one channel, its state and its sends."""


class BestEffort:
    """Deliver claimed routes once, within a deadline."""

    def __init__(
        self,
        *,
        notifications: Submissions,
        new_store: Callable[[], InlineStore],
        limits: TimeLimits,
        deliver: Deliver,
        finaliser: Finaliser,
        executor: Executor,
        clock: Clock,
        log: Log,
    ) -> None:
        self._notifications = notifications
        self._new_store = new_store
        self._limits = limits
        self._deliver = deliver
        self._finaliser = finaliser
        self._executor = executor
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
        store = self._new_store()
        try:
            with self._limits.within(ends - self._clock() + SETTLE_SECONDS):
                self._try(store, claims, ends)
                tried = [one for one in stored if one.claims]
                return {one.notification_id: self._routes(store, one) for one in tried}
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is 202
            self._log.debug("best effort failed", error=type(error).__name__)
            return {}

    def _try(self, store: InlineStore, claims: Sequence[Claim], deadline: float) -> None:
        """Deliver claims, the channels in parallel, and write their results."""
        by_channel: dict[str, list[Claim]] = {}
        for claim in claims:
            by_channel.setdefault(claim.channel, []).append(claim)
        first, *others = [
            (batch, *_ready(store, channel, len(batch)))
            for channel, batch in sorted(by_channel.items())
        ]
        early = EarlyWriter(finaliser=self._finaliser, store=store, clock=self._clock)
        running = [
            self._executor.submit(copy_context().run, self._batch, batch, deadline, early)
            for batch in others
        ]
        try:
            deliveries = [early.complete(self._batch(first, deadline, early))]
        finally:
            wait(running)
        for delivery in (*deliveries, *(future.result() for future in running)):
            self._finaliser.conclude(store, delivery, until=deadline)

    def _batch(self, batch: Batch, deadline: float, early: EarlyWriter) -> Delivery:
        claims, channel_state, slots = batch
        with self._limits.within(deadline - self._clock() + SETTLE_SECONDS):
            return self._deliver(
                claims, channel_state=channel_state, slots=slots, deadline=deadline, settle=early
            )

    def _routes(self, store: InlineStore, stored: Stored) -> Sequence[Route]:
        """Return the routes of a notification after its first attempts.

        They are known where each attempt was accepted and published, and else read.
        """
        if all(claim.route_id in store.published for claim in stored.claims):
            return [_published(route, store) for route in stored.routes]
        read = self._notifications.notification(stored.notification_id)
        return () if read is None else read.routes


def _ready(store: InlineStore, channel: str, wanted: int) -> tuple[ChannelState, SendSlots]:
    """Return the state of a channel, and the sends that its rate has room for at once.

    Dispatch probes what was paused.
    """
    state, slots = store.ready(channel, wanted, AT_ONCE_SECONDS)
    paused = state.paused | state.recovering
    return replace(state, paused=paused, recovering=frozenset()), slots


def _published(route: Route, store: InlineStore) -> Route:
    """Return a route as publishing left it; one that was not published is as it was stored."""
    if route.route_id not in store.published:
        return route
    message_id, at = store.published[route.route_id]
    return replace(
        route,
        status=Status.PUBLISHED,
        next_attempt_at=None,
        published_at=at,
        provider_message_id=message_id,
    )
