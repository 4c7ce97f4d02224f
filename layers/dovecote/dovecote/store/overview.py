"""How it stands as a whole, on PostgreSQL."""

from contextlib import AbstractContextManager

from psycopg import errors

from dovecote.core import lanes
from dovecote.operations.overview import Live, Minute, OpenDeadLetters, Overview, Paused
from dovecote.store.database import Database, Opened
from dovecote.store.rows import rows
from dovecote.store.statements import statement


class PostgresOverview:
    """Counts of the queue, its pauses, its dead letters and its last hour."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Bound all that this thread asks of the store in the context."""
        return self._database.within(seconds)

    def overview(self, most: int) -> Overview:
        """Return how it stands, each thing counted to `most`."""
        limit = {"most": most}

        def work(connection: Opened) -> Overview:
            connection.execute(statement("use_indexes"))
            return Overview(
                counted_to=most,
                live=[Live(**row) for row in rows(connection, "live", {**limit, **LANES})],
                paused=[Paused(**row) for row in rows(connection, "paused", PAUSED | limit)],
                dead_letters=[
                    OpenDeadLetters(**row) for row in rows(connection, "open_dead_letters", limit)
                ],
                minutes=_minutes(connection),
            )

        return self._database.run(work)


def _minutes(connection: Opened) -> list[Minute] | None:
    """Count the minutes, or give up: the rest of the overview does not wait for them."""
    try:
        with connection.transaction():
            rows(connection, "bound", {"milliseconds": MINUTES_MS})
            return [Minute(**row) for row in rows(connection, "minutes", {})]
    except errors.QueryCanceled:
        return None


MINUTES_MS = 2500
"""How long the minutes may take: some millions of deliveries an hour, with a second to spare."""

LANES = {
    "channels": [lane.channel for lane in lanes.ALL],
    "statuses": ["retrying" if lane.retry else "pending" for lane in lanes.ALL],
    "lanes": [lane.number for lane in lanes.ALL],
}
"""Every lane, with what it holds."""

PAUSED = {name: LANES[name] for name in ("channels", "lanes")}
