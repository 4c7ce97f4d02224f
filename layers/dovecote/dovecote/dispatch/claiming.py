"""Claim the routes of one channel: each lane its share, and lapsed routes alone."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dovecote.channels import lanes
from dovecote.core.channel_state import ChannelState
from dovecote.core.claim import Lease
from dovecote.core.errors import StoreError
from dovecote.dispatch.ports import Claimed, LaneResult
from dovecote.dispatch.services import REREAD_SECONDS, STATE_SECONDS, Services

TICK_SECONDS = 0.001
"""More than the rounding error of a time as a floating-point number."""


class LaneCursors(Struct):
    """How far each lane of a channel was read, and which lanes are drained.

    A drained lane had fewer routes than a claim wanted.
    """

    since: dict[int, float] = {}
    drained: set[int] = set()
    restart_at: float = 0.0

    def restart_when_due(self, now: float) -> None:
        """Read all lanes from their beginning again, every `REREAD_SECONDS`."""
        if now >= self.restart_at:
            self.since.clear()
            self.restart_at = now + REREAD_SECONDS

    def read(self, quotas: Mapping[int, int], by_lane: Mapping[int, LaneResult]) -> set[int]:
        """Note how far a claim read its lanes; return those drained from their beginning on."""
        short = {n for n, quota in quotas.items() if n not in by_lane or by_lane[n].count < quota}
        drained = short - self.since.keys()
        for lane in quotas:
            if lane in short:
                self.since.pop(lane, None)
            else:
                self.since[lane] = by_lane[lane].until - TICK_SECONDS
        return drained


class Claiming:
    """The claims of one channel in one run."""

    def __init__(self, services: Services, channel: str) -> None:
        self._services = services
        self._channel = channel
        self._hold = services.channels[channel].hold_seconds
        self._lanes = [lane.number for lane in lanes.of(channel)]
        self._cursors = LaneCursors()
        self._state: ChannelState | None = None
        self._state_at = 0.0
        self.may_have_lapsed = True

    @property
    def last_state(self) -> ChannelState | None:
        """Return the channel's state after the last claim, unless `take_state` took it."""
        return self._state

    def take_state(self) -> ChannelState:
        """Return the channel's state: after the last claim if that is recent, else read now."""
        state, self._state = self._state, None
        if state is None or self._services.clock() > self._state_at + STATE_SECONDS:
            return self._services.store.channel_state(self._channel)
        return state

    def claim(self, room: int, *, lapsed_first: bool, alone: bool) -> Sequence[Claimed]:
        """Claim a batch of fresh routes, or one route whose lease ran out.

        Fresh routes come first: a route that kills its worker uses up its own attempts and no
        other's. A lapsed route is claimed only where no batch of the channel is in flight: `alone`.
        """
        if not lapsed_first:
            return self._fresh(room) or self._lapsed(alone=alone)
        lapsed = self._lapsed(alone=alone)
        self.may_have_lapsed = bool(lapsed)
        return lapsed or self._fresh(room)

    def claim_expired(self) -> Claimed:
        """Claim routes past their time, which end without a send."""
        limit = self._services.timing.batch_size
        return self._services.store.claim_expired(
            self._lanes, self._lease(), hold=self._hold, limit=limit
        )

    def _fresh(self, room: int) -> Sequence[Claimed]:
        """Claim a batch: each lane its share, then the rest from lanes with more."""
        self._cursors.restart_when_due(self._services.clock())
        lease = self._lease()
        enough = room / 2 if room >= lanes.ROOMY else room
        claimed: list[Claimed] = []
        missing, drained = room, set[int]()
        quotas = lanes.shares(self._channel, room, self._services.random, self._cursors.drained)
        while quotas:
            try:
                routes, newly_drained = self._from_lanes(quotas, lease)
            except StoreError:
                if not claimed:
                    raise
                break  # the routes claimed so far are delivered
            claimed += [routes] if routes else []
            missing -= len(routes)
            drained |= newly_drained
            more = room - missing < enough
            quotas = lanes.rest(self._channel, missing, drained) if more else {}
        self._cursors.drained = drained
        return claimed

    def _from_lanes(self, quotas: Mapping[int, int], lease: Lease) -> tuple[Claimed, set[int]]:
        since = self._cursors.since
        routes, self._state = self._services.store.claim(self._channel, quotas, lease, since)
        self._state_at = self._services.clock()
        return routes, self._cursors.read(quotas, routes.by_lane)

    def _lapsed(self, *, alone: bool) -> Sequence[Claimed]:
        """Claim one route whose lease ran out."""
        if not alone:
            return []
        lapsed = self._services.store.claim_lapsed(self._lanes, self._lease(), hold=self._hold)
        return [lapsed] if lapsed else []

    def _lease(self) -> Lease:
        return Lease(token=self._services.new_id(), seconds=self._services.timing.lease_seconds)
