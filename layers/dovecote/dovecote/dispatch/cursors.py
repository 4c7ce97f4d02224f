"""From which due time on each lane is read.

An old snapshot keeps the index entries of finished routes, and a read from the beginning of a lane
passes all of them. Times are in seconds since 1970, by the database's clock. ADR 43.
"""

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

LATE_SECONDS = 5.0
"""How long after its due time a route may still be committed; a submit ends within 4 s."""

FULL_LOOK_SECONDS = 50.0
"""How long cursors hold; then lanes are read from their beginning.

It is less than the minute between scheduled runs, so an environment with no other runs never waits
for the run after the next one.
"""


class LaneCursors(Struct):
    """From which due time on each lane is read, until the next read from the beginning.

    A lane without a cursor is read from its beginning, and so are all lanes from `until` on. Routes
    that are committed up to `late` seconds after their due time are found all the same.
    """

    since: dict[int, float] = {}
    until: float = -math.inf
    late: float = 0.0

    def starts(self, lanes: Sequence[int]) -> list[float]:
        """Return the due time from which on each of these lanes is read."""
        return [self.since.get(lane, -math.inf) for lane in lanes]

    def restart(self) -> None:
        """Read each lane from its beginning at the next read."""
        self.since.clear()
        self.until = -math.inf

    def read(self, reached: Mapping[int, float], at: float) -> None:
        """Move the cursors of lanes after a read at `at`.

        Nothing is left to find in a lane before `reached`. A read after `until` sets no cursor,
        because the statement may have begun earlier.
        """
        if self.until == -math.inf:
            self.until = at + FULL_LOOK_SECONDS
        elif at >= self.until:
            self.restart()
            return
        for lane, due in reached.items():
            self.since[lane] = min(due, at - self.late)
