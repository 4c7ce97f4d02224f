"""How it stands as a whole, on PostgreSQL."""

from contextlib import AbstractContextManager

from dovecote import lanes
from dovecote.overview import Live, Minute, OpenDeadLetters, Overview, Paused
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
                paused=[Paused(**row) for row in rows(connection, "paused", {})],
                dead_letters=[
                    OpenDeadLetters(**row) for row in rows(connection, "open_dead_letters", limit)
                ],
                minutes=[Minute(**row) for row in rows(connection, "minutes", {})],
            )

        return self._database.run(work)


LANES = {
    "channels": [lane.channel for lane in lanes.ALL],
    "statuses": ["retrying" if lane.retry else "pending" for lane in lanes.ALL],
    "lanes": [lane.number for lane in lanes.ALL],
}
"""Every lane, with what it holds."""
