"""Fill databases to stages, measure each operation, and fail if a limit is exceeded.

python -m bench.year [STAGE …], such as 100k 1m 5m
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

import msgspec
import psycopg
from psycopg import sql

from bench.contender import DOVECOTE, ROOT
from bench.year.limits import exceeded, unmatched
from bench.year.page import growth, stage_tables
from bench.year.rules import RULES
from bench.year.stage import Stage
from local.postgres import Server

DIRECTORY = ROOT / ".bench-year"

SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "512MB",
    "random_page_cost": "1.1",
    # It would add to the blocks of the operations.
    "autovacuum": "off",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "none",
}
"""Not durable, since times are not limited; no full pages in the WAL, as on Aurora."""

FACTORS = {"k": 1_000, "m": 1_000_000}


def main() -> int:
    """Measure the stages; return 1 if a limit was exceeded."""
    parser = argparse.ArgumentParser(prog="python -m bench.year", description=__doc__)
    parser.add_argument("stages", nargs="*", type=_size, default=[100_000, 1_000_000])
    sizes: Sequence[int] = sorted(parser.parse_args().stages)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    try:
        with Server(DIRECTORY, settings=SETTINGS, durable=False) as server:
            found = [_measured(server, size) for size in sizes]
    finally:
        shutil.rmtree(DIRECTORY, ignore_errors=True)
    return _judged({stage.notifications: stage for stage in found})


def _size(text: str) -> int:
    """Return a number of notifications from text such as 100k or 1m."""
    number, unit = text[:-1], text[-1:].lower()
    return int(float(number) * FACTORS[unit]) if unit in FACTORS else int(text)


def _measured(server: Server, size: int) -> Stage:
    """Measure a stage in a database and a process of its own, and print it."""
    sys.stderr.write(f"{size:,} notifications\n")
    name, file = f"year_{size}", DIRECTORY / f"{size}.json"
    server.create_database(name)
    subprocess.run(
        [sys.executable, "-m", "bench.year.stage", server.url(name), str(size), str(file)],
        cwd=ROOT,
        env=DOVECOTE.environ(),
        stdout=subprocess.DEVNULL,  # the log
        check=True,
    )
    stage = msgspec.json.decode(file.read_bytes(), type=Stage)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))
    sys.stdout.write(stage_tables(stage))
    sys.stdout.flush()
    return stage


def _judged(stages: Mapping[int, Stage]) -> int:
    """Print the growth of each operation; return 1 if a limit was exceeded."""
    measured = {
        size: {one.operation: one for one in stage.operations} for size, stage in stages.items()
    }
    sys.stdout.write(growth(measured, RULES))
    wrong = [f"{name}: not measured, or without a limit" for name in unmatched(RULES, measured)]
    wrong = wrong or exceeded(RULES, measured)
    sys.stdout.write("".join(f"\n{sentence}" for sentence in (*wrong, "")))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
