"""Claim the routes of one channel: each lane its share, and lapsed routes alone."""

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from dovecote.channels import lanes
from dovecote.core.channel_state import ChannelState
from dovecote.core.claim import Lease
from dovecote.core.errors import StoreError
from dovecote.dispatch.cursors import LATE_SECONDS, LaneCursors
from dovecote.dispatch.lapsed import LapsedSearch
from dovecote.dispatch.ports import Claimed, Examined, Window
from dovecote.dispatch.services import STATE_SECONDS, Services

LOOK_SECONDS = 0.5
"""How old the last look at the lanes may be for a claim that takes routes from busy lanes."""

ROOMY = 64
"""A batch of at least so many is claimed in one statement if that fills half of it."""


class ChannelCursors(Struct):
    """How far the lanes of a channel were read, for due routes and for lapsed ones."""

    due: LaneCursors = field(default_factory=lambda: LaneCursors(late=LATE_SECONDS))
    lapsed: LapsedSearch = field(default_factory=LapsedSearch)


class Claiming:
    """The claims of one channel in one run; the cursors outlast it."""

    def __init__(self, services: Services, channel: str, cursors: ChannelCursors) -> None:
        self._services = services
        self._channel = channel
        self._hold = services.channels[channel].hold_seconds
        self._lanes = [lane.number for lane in lanes.of(channel)]
        self._cursors = cursors
        self._busy: set[int] = set()
        self._looked_at = -math.inf
        self._state: ChannelState | None = None
        self._state_at = 0.0
        self.may_have_lapsed = True

    @property
    def last_state(self) -> ChannelState | None:
        """Return the channel's state after the last claim or look, unless `take_state` took it."""
        return self._state

    def take_state(self) -> ChannelState:
        """Return the channel's state: that of `last_state` if it is recent, else read now."""
        state, self._state = self._state, None
        if state is None or self._services.clock() > self._state_at + STATE_SECONDS:
            return self._services.store.channel_state(self._channel)
        return state

    def restart(self) -> None:
        """Read the lanes from their beginning: routes were given back, which were due before."""
        self._cursors.due.restart()

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
        """Claim a batch from the busy lanes, which include each lane with work at the last look."""
        recent = bool(self._busy) and self._services.clock() < self._looked_at + LOOK_SECONDS
        if not recent:
            self._look()
        claimed = self._from_busy_lanes(room)
        if claimed or not recent:
            return claimed
        self._look()
        return self._from_busy_lanes(room)

    def _look(self) -> None:
        """Add the lanes that have work to the busy ones."""
        idle, cursors = [lane for lane in self._lanes if lane not in self._busy], self._cursors.due
        due, self._state = self._services.store.find_due_lanes(self._channel, idle, cursors)
        self._state_at = self._looked_at = self._services.clock()
        cursors.read({lane: math.inf for lane in idle if lane not in due}, self._state.at)
        self._busy.update(due)

    def _from_busy_lanes(self, room: int) -> Sequence[Claimed]:
        """Claim a batch: each busy lane its share, then the rest from those that have more.

        Drained lanes are no longer busy, unless all are: then those that gave routes stay busy.
        """
        lease, random = self._lease(), self._services.random
        enough = room / 2 if room >= ROOMY else room
        claimed: list[Claimed] = []
        missing, drained = room, set[int]()
        quotas = lanes.shares(self._busy, room, random)
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
            quotas = lanes.shares(self._busy - drained, missing, random) if more else {}
        self._busy = self._busy - drained or {lane for routes in claimed for lane in routes.by_lane}
        return claimed

    def _from_lanes(self, quotas: Mapping[int, int], lease: Lease) -> tuple[Claimed, set[int]]:
        """Claim from lanes; also return those that had fewer routes than the claim wanted."""
        cursors = self._cursors.due
        routes, self._state = self._services.store.claim(self._channel, quotas, lease, cursors)
        self._state_at = self._services.clock()
        by_lane = routes.by_lane
        short = {n for n, quota in quotas.items() if n not in by_lane or by_lane[n].count < quota}
        reached = {n: math.inf if n in short else by_lane[n].until for n in quotas}
        cursors.read(reached, self._state.at)
        return routes, short

    def _lapsed(self, *, alone: bool) -> Sequence[Claimed]:
        """Claim one route whose lease ran out."""
        if not alone:
            return []
        found = self._claim_lapsed()
        if found or not self._cursors.lapsed.look(self._lanes, self._examine):
            return found
        return self._claim_lapsed()

    def _claim_lapsed(self) -> Sequence[Claimed]:
        """Claim one of the routes that the last look found, unless other workers have them all."""
        found = self._cursors.lapsed.found
        claimed = found and self._services.store.claim_lapsed(found, self._lease(), hold=self._hold)
        if not claimed:
            found.clear()
            return []
        for claim in claimed:
            found.remove(claim.route_id)
        return [claimed]

    def _examine(self, windows: Sequence[Window]) -> Sequence[Examined]:
        return self._services.store.examine(windows, hold=self._hold)

    def _lease(self) -> Lease:
        return Lease(token=self._services.new_id(), seconds=self._services.timing.lease_seconds)
