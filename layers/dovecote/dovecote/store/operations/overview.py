"""Count the queue, its pauses, its dead letters and its last hour."""

import math
from collections.abc import Mapping
from typing import Any

from dovecote.channels import lanes
from dovecote.dispatch.cursors import LaneCursors
from dovecote.operations.gauges import Gauges
from dovecote.operations.overview import Overview
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute, in_transaction, rows


class PostgresOverview(Queries):
    """The counts of the console's first screen, and the gauges that alarms watch."""

    @in_transaction
    def overview(self, connection: Opened, most: int) -> Overview:
        """Return the overview, each thing counted up to `most`."""
        limit = {"most": most}
        execute(connection, "operations/use_indexes")
        return Overview(
            counted_to=most,
            live=rows(connection, "operations/live", {**limit, **LANES}),
            paused=rows(connection, "operations/paused", {**limit, **CHANNELS}),
            dead_letters=rows(connection, "operations/open_dead_letters", limit),
            minutes=rows(connection, "operations/minutes", {}),
        )

    def gauges(self, cursors: LaneCursors | None = None) -> Gauges:
        """Return the gauges, by one reading of the database's clock.

        Lanes are read from their cursors, which move to the oldest live route of each.
        """
        cursors = cursors or LaneCursors()
        numbers = CHANNELS["lanes"]
        given = {"since": cursors.starts(numbers), "until": cursors.until, **CHANNELS}
        found = self._rows("operations/gauges", **given)[0]
        at, first_due = found.pop("at"), found.pop("first_due")
        cursors.read({lane: first_due.get(str(lane), math.inf) for lane in numbers}, at)
        return Gauges(**found)


_ALL = [*lanes.ALL, *lanes.SCHEDULED]

LANES: Mapping[str, list[Any]] = {
    "channels": [lane.channel for lane in _ALL],
    "statuses": ["retrying" if lane.retry else "pending" for lane in _ALL],
    "priorities": [lanes.PRIORITIES[lane.priority] for lane in _ALL],
    "lanes": [lane.number for lane in _ALL],
}
"""Every lane with its channel, status and priority, those of scheduled routes to users too."""

CHANNELS = {name: LANES[name] for name in ("channels", "lanes")}
