"""Count the queue, its pauses, its dead letters and its last hour."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import errors

from dovecote.channels import lanes
from dovecote.dispatch.cursors import LaneCursors
from dovecote.operations.gauges import Gauges
from dovecote.operations.overview import Overview, Row
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
            minutes=_minutes(connection),
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


def _minutes(connection: Opened) -> Sequence[Row] | None:
    """Count the minutes; return None if that takes too long for the overview."""
    try:
        with connection.transaction():
            rows(connection, "operations/bound", {"milliseconds": MINUTES_MS})
            return rows(connection, "operations/minutes", {})
    except errors.QueryCanceled:
        return None


MINUTES_MS = 2500
"""How long the minutes may take. It is enough for some millions of deliveries per hour."""

LANES: Mapping[str, list[Any]] = {
    "channels": [lane.channel for lane in lanes.ALL],
    "statuses": ["retrying" if lane.retry else "pending" for lane in lanes.ALL],
    "lanes": [lane.number for lane in lanes.ALL],
}
"""Every lane with its channel and status."""

CHANNELS = {name: LANES[name] for name in ("channels", "lanes")}
