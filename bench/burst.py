"""A burst after an idle period, in which the last ANALYZE saw no due route."""

from collections.abc import Callable
from functools import partial

import psycopg

from bench import routes
from bench.contender import DOVECOTE
from bench.depth import FINISHED, Case, insert_more
from bench.measure import Bench, Watch, drained, settle
from bench.report import Table, Target, ratios, spread
from bench.rounds import Size, rounds

DATABASE = "burst"
BEFORE, AFTER = "after an idle period", "after ANALYZE"
AIM = 0.9
HISTORY = Case(words="finished", times=1, differing=FINISHED)


class Bursts:
    """A database with a long history, which is idle between its bursts."""

    def __init__(self, url: str, size: Size) -> None:
        self._url = url
        self._jobs = size.grown
        self._stored = 1
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "alter table dovecote.notification_routes set (autovacuum_enabled = off)"
            )
            routes.fill(connection, 1)
            insert_more(connection, HISTORY, size.beside)
            connection.execute(
                "update dovecote.notification_routes set next_attempt_at = null,"
                " status = 'published', published_at = now() where status = 'pending'"
            )

    def rate(self, *, analyze: bool) -> float:
        """Return the routes of a burst that are published in a second."""
        settle(self._url)
        with psycopg.connect(self._url, autocommit=True) as connection:
            routes.fill(connection, self._jobs, self._stored + 1)
            self._stored += self._jobs
            if analyze:
                connection.execute("analyze")
            connection.execute("checkpoint")
        return drained(DOVECOTE, self._url, self._jobs, 1, 0, 0, watch=Watch())


def table(bench: Bench, size: Size) -> Table:
    """Measure bursts with the statistics of an idle period, and with new statistics."""
    bursts = Bursts(bench.empty(DOVECOTE, DATABASE), size)
    series: dict[str, Callable[[], float]] = {
        BEFORE: partial(bursts.rate, analyze=False),
        AFTER: partial(bursts.rate, analyze=True),
    }
    found = rounds(2 * size.rounds, series)
    bench.drop(DATABASE)
    over = ratios(found[BEFORE], found[AFTER])
    return Table(
        title="Burst after an idle period",
        note=f"Routes a second of a burst of {size.grown:,} after {size.beside:,} finished routes"
        f" ({DOVECOTE.name}, 1 process). The last ANALYZE was before the burst, or after it.",
        columns=("routes a second", "ratio"),
        rows={
            BEFORE: (spread(found[BEFORE]), spread(over, "x")),
            AFTER: (spread(found[AFTER]), ""),
        },
        targets=[
            Target(what="burst after an idle period to after ANALYZE", least=AIM, rounds=over)
        ],
    )
