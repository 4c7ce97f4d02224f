"""Fill a database to a stage and measure each operation, in a process of its own.

python -m bench.year.stage URL NOTIFICATIONS FILE
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench import routes
from bench.year import bursts, changing, growing, reading, traffic
from bench.year.limits import Measured
from bench.year.meter import Meter
from dovecote.store.schema.migrate import migrate

DAYS = 90
CROWD = 1_000
"""How many notifications Dovecote's code makes, to be copied."""

HEAVY_COPIES = 100

STORAGE = """
select case relkind when 'i' then coalesce(of_toast.of_table || ': TOAST index', relname)
            when 't' then of_toast.of_table || ': TOAST' else relname end,
       pg_relation_size(c.oid)
from pg_class c
left join pg_index i on i.indexrelid = c.oid
left join lateral (
    select relname as of_table from pg_class t where t.reltoastrelid in (c.oid, i.indrelid)
) of_toast on true
where (relnamespace = 'dovecote'::regnamespace or of_toast.of_table is not null)
  and relkind in ('r', 'i', 't') and pg_relation_size(c.oid) > %(notifications)s
  and coalesce(of_toast.of_table, '') not like 'pg_%%'
order by 2 desc
"""


class Stage(msgspec.Struct, kw_only=True):
    """The measurements of a stage: bytes by table and index, operations, rates."""

    notifications: int
    seconds: float
    storage: dict[str, int] = {}
    operations: list[Measured] = []
    rates: dict[str, float] = {}


class Bench:
    """A database at a stage, with Dovecote on it."""

    def __init__(self, url: str, stage: Stage) -> None:
        self.url = url
        self.live = traffic.Live(url)
        self.meter = Meter(url)
        self.connection = self.meter.connection
        self.stage = stage
        self._stored = 0

    def store(self, count: int) -> None:
        """Store so many notifications of one due route each, by SQL that is not measured."""
        routes.fill(self.connection, count, self._stored + 1)
        self._stored += count

    def measure(self, operation: str, run: Callable[[], int]) -> None:
        """Measure an operation, which returns its number of units."""
        with self.meter.measured() as found:
            units = run()
        self.record(found[0].all(operation, units))

    def record(self, measured: Measured) -> None:
        """Add a measurement to the stage."""
        self.stage.operations.append(measured)
        _say(f"{measured.operation}: {measured.blocks:,.1f} blocks")

    def settle(self) -> None:
        """Deliver what is due, then vacuum and analyze, as autovacuum does in an idle period."""
        self.live.drain()
        self.connection.execute("vacuum analyze")


def main(url: str, notifications: int, file: Path) -> None:
    """Fill and measure a stage, and write it to a file."""
    os.environ |= {"BACKOFF_BASE_SECONDS": "0", "PAUSE_BASE_SECONDS": "0.1"}
    began = time.monotonic()
    migrate(url)
    stage = Stage(notifications=notifications, seconds=0)
    bench = Bench(url, stage)
    _fill(bench, notifications)
    stage.seconds = time.monotonic() - began
    found = bench.connection.execute(STORAGE, {"notifications": notifications}).fetchall()
    stage.storage = dict(found)
    for measure in (reading.measure, changing.measure, bursts.measure):
        measure(bench)
    file.write_bytes(msgspec.json.encode(stage))


def _fill(bench: Bench, notifications: int) -> None:
    """Make a little traffic and copy it until there are so many notifications."""
    connection = bench.connection
    growing.prepare(connection)
    traffic.heavy(bench.live)
    heavy = growing.put_aside(connection, "heavy", HEAVY_COPIES, same_people=True)
    traffic.crowd(bench.live, CROWD)
    of_heavy = HEAVY_COPIES * _count(bench, "heavy")
    copies = max(1, round((notifications - of_heavy) / CROWD))
    crowd = growing.put_aside(connection, "crowd", copies, same_people=False)
    _say(f"copying {copies * CROWD:,} notifications to many, {of_heavy:,} to a few")
    growing.grow(connection, DAYS, [heavy, crowd])
    connection.execute("set session_replication_role = origin")
    connection.execute("vacuum analyze")
    wanted, stored = of_heavy + copies * CROWD, _count(bench, "dovecote")
    if stored != wanted:
        raise RuntimeError(f"{stored:,} notifications were stored instead of {wanted:,}")


def _count(bench: Bench, schema: str) -> int:
    row = bench.connection.execute(
        f"select count(*) from {schema}.notifications".encode()  # noqa: S608
    ).fetchone()
    assert row is not None
    return int(row[0])


def _say(words: str) -> None:
    sys.stderr.write(f"  {words}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
