"""Search for routes whose lease ran out, a bounded number of due routes at a time. ADR 43.

Routes are claimed in the order of their due times. So when a lease runs out, the leases of all
routes of its lane that were due earlier have ended as well, and the lapsed route is among the
oldest due routes of its lane, which each look examines. To find it wherever it is, a sweep goes on
through the others: each look also examines the next of them.
"""

import math
from collections.abc import Callable, Sequence
from itertools import chain, islice
from uuid import UUID

from msgspec import Struct, field

from dovecote.dispatch.cursors import LaneCursors
from dovecote.dispatch.ports import Examined, Window

EXAMINED = 100
"""The most due routes of a lane that a look examines at its head, and as many by its sweep."""

LANES = 6
"""How many sweeps a look goes on with, and how many heads it examines in full.

The heads of more lanes share as many routes.
"""

MOST_ALIKE = 10_000
"""The most routes of a notification, which are due at the same time."""

MICROSECOND = 1e-6
"""The precision of a due time."""

Examine = Callable[[Sequence[Window]], Sequence[Examined]]
"""Examines windows; returns one result for each, in their order."""


class Sweep(Struct, kw_only=True):
    """The place of a lane at which a look goes on; the sweep is over at `ends`."""

    since: float
    ends: float
    most: int = EXAMINED


class LapsedSearch(Struct):
    """The search in the lanes of one channel; `found` has the lapsed routes of the last look.

    A lapsed route is found within 3 + d / 49 looks, where d is the number of due routes of its
    lane, unless more than `MOST_ALIKE` routes are due at the same time as it. Where more than
    `LANES` lanes have more routes than a look examines, their sweeps take turns.
    """

    heads: LaneCursors = field(default_factory=LaneCursors)
    sweeps: dict[int, Sweep] = {}
    busy: set[int] = set()
    found: list[UUID] = []

    def look(self, lanes: Sequence[int], examine: Examine) -> bool:
        """Examine the head of each lane and the next routes of its sweep; tell if any lapsed."""
        heads = [
            Window(lane=lane, since=since, until=self.heads.until, most=self._most(lane, lanes))
            for lane, since in zip(lanes, self.heads.starts(lanes), strict=True)
        ]
        sweeps = [
            Window(lane=lane, since=sweep.since, until=math.inf, most=sweep.most)
            for lane, sweep in islice(self.sweeps.items(), LANES)
        ]
        examined = examine([*heads, *sweeps])
        for window, result in zip(sweeps, examined[len(heads) :], strict=True):
            self._move(window, result)
        self._read_heads(heads, examined)
        self.found = list(dict.fromkeys(chain.from_iterable(one.lapsed for one in examined)))
        return bool(self.found)

    def _most(self, lane: int, lanes: Sequence[int]) -> int:
        """Return how much of a head to examine: lanes that had due routes have the larger part."""
        sharing = len(self.busy) if lane in self.busy else len(lanes)
        return min(EXAMINED, LANES * EXAMINED // sharing)

    def _read_heads(self, heads: Sequence[Window], examined: Sequence[Examined]) -> None:
        """Move the cursors to the oldest due routes; begin a sweep where a head has more."""
        results = {head.lane: (head, result) for head, result in zip(heads, examined, strict=False)}
        at = max(result.at for _, result in results.values())
        self.heads.read({lane: result.first for lane, (_, result) in results.items()}, at)
        self.busy = {lane for lane, (_, result) in results.items() if result.count}
        for lane, (head, result) in results.items():
            if result.count == head.most and lane not in self.sweeps:
                self.sweeps[lane] = Sweep(since=result.last, ends=at)

    def _move(self, window: Window, result: Examined) -> None:
        """Move a sweep to the last route that it examined, or end it.

        Where all examined routes are due at the same time, the next look examines more of them. The
        sweeps of other lanes go on before it.
        """
        sweep = self.sweeps.pop(window.lane)
        if result.count < window.most or result.last >= sweep.ends:
            return
        self.sweeps[window.lane] = sweep
        if result.last > sweep.since:
            sweep.since, sweep.most = result.last, EXAMINED
        elif sweep.most < MOST_ALIKE:
            sweep.most *= 2
        else:
            sweep.since, sweep.most = sweep.since + MICROSECOND, EXAMINED
