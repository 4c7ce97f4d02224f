"""Count the queue, its pauses, its dead letters and its last hour."""

from psycopg import errors

from dovecote.channels import lanes
from dovecote.operations.overview import Live, Minute, OpenDeadLetters, Overview, Paused
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute, rows


class PostgresOverview(Queries):
    """The counts of the console's first screen."""

    def overview(self, most: int) -> Overview:
        """Return the overview, each thing counted up to `most`."""
        limit = {"most": most}

        def work(connection: Opened) -> Overview:
            execute(connection, "operations/use_indexes")
            live = rows(connection, "operations/live", {**limit, **LANES})
            paused = rows(connection, "operations/paused", {**limit, **PAUSED})
            dead_letters = rows(connection, "operations/open_dead_letters", limit)
            return Overview(
                counted_to=most,
                live=[Live(**row) for row in live],
                paused=[Paused(**row) for row in paused],
                dead_letters=[OpenDeadLetters(**row) for row in dead_letters],
                minutes=_minutes(connection),
            )

        return self._database.run(work)


def _minutes(connection: Opened) -> list[Minute] | None:
    """Count the minutes; return None if that takes too long for the overview."""
    try:
        with connection.transaction():
            rows(connection, "operations/bound", {"milliseconds": MINUTES_MS})
            return [Minute(**row) for row in rows(connection, "operations/minutes", {})]
    except errors.QueryCanceled:
        return None


MINUTES_MS = 2500
"""How long the minutes may take. It is enough for some millions of deliveries per hour."""

LANES = {
    "channels": [lane.channel for lane in lanes.ALL],
    "statuses": ["retrying" if lane.retry else "pending" for lane in lanes.ALL],
    "lanes": [lane.number for lane in lanes.ALL],
}
"""Every lane with its channel and status."""

PAUSED = {name: LANES[name] for name in ("channels", "lanes")}
