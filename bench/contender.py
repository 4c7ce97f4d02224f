"""Who is measured, by which program, and what its database says of the jobs."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "bench" / "peers"
CATALOG = ROOT / "layers" / "catalog" / "catalog"
PERSON_HASH_KEY = "the key of the bench, which is public"
NODE = str(PEERS / "node_modules" / ".bin" / "node")
PYTHON = str(ROOT / ".venv-bench" / "bin" / "python")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """A program that installs, fills, enqueues and drains; SQL that tells what became of jobs.

    `left` is true while a job is not done, `done` counts those that ended as they should, and
    `stored` what was enqueued.
    """

    name: str
    program: Sequence[str]
    left: str
    done: str
    stored: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, order: str, url: str, *numbers: int) -> list[str]:
        """Return the command for one of the orders."""
        return [*self.program, order, url, *map(str, numbers)]

    def environ(self) -> dict[str, str]:
        """Return the environment of the program."""
        path = os.pathsep.join([str(ROOT / "layers" / "dovecote"), str(ROOT)])
        return {**os.environ, "PYTHONPATH": path, **self.environment}


def _dovecote(batch: int) -> Contender:
    return Contender(
        name=f"Dovecote, batches of {batch}",
        program=[sys.executable, "-m", "bench.peers.dovecote"],
        environment={"DISPATCH_BATCH_SIZE": str(batch), "DISPATCH_CONCURRENCY": "50"},
        left="select exists (select from dovecote.notification_routes where status in"
        " ('pending', 'retrying') and (status = 'pending' or leased_until is not null))",
        done="select count(*) from dovecote.notification_routes"
        " where status = 'published' and attempts = 1 and claims = 1",
        stored="select count(*) / 2 from dovecote.notification_routes where status = 'pending'",
    )


DOVECOTE = _dovecote(1000)
DOVECOTE_DEFAULT = _dovecote(100)

BARE = Contender(
    name="bare psycopg: 1 notification and 2 routes in one statement",
    program=[sys.executable, "-m", "bench.peers.bare"],
    left="",
    done="",
    stored=DOVECOTE.stored,
)

ROUTES = "select count(*) from dovecote.notification_routes where status = 'pending'"

DOVECOTE_BULK = replace(DOVECOTE, name="Dovecote", stored=ROUTES)


def _bare_bulk(how: str, words: str) -> Contender:
    program = [sys.executable, "-m", "bench.peers.bare_bulk", how]
    return Contender(name=words, program=program, left="", done="", stored=ROUTES)


BARE_BULKS = (
    _bare_bulk("copy", "bare psycopg: COPY into the same tables"),
    _bare_bulk("unnest", "bare psycopg: one INSERT from arrays into the same tables"),
)

GRAPHILE = Contender(
    name="graphile-worker",
    program=[NODE, str(PEERS / "graphile.mjs")],
    left="select exists (select from graphile_worker._private_jobs)",
    # It deletes what is done.
    done="select %(filled)s - count(*) from graphile_worker._private_jobs",
    stored="select count(*) from graphile_worker._private_jobs",
)

PGBOSS = Contender(
    name="pg-boss",
    program=[NODE, str(PEERS / "pgboss.mjs")],
    left="select exists (select from pgboss.job where name = 'noop' and state < 'completed')",
    done="select count(*) from pgboss.job where name = 'noop' and state = 'completed'",
    stored="select count(*) from pgboss.job where name = 'noop'",
)

PGQUEUER = Contender(
    name="pgqueuer",
    program=[PYTHON, "-m", "bench.peers.pgqueuer"],
    left="select exists (select from pgqueuer)",
    done="select count(*) from pgqueuer_log where status = 'successful'",
    stored="select count(*) from pgqueuer",
)

PROCRASTINATE = Contender(
    name="procrastinate",
    program=[PYTHON, "-m", "bench.peers.procrastinate"],
    left="select exists (select from procrastinate_jobs where status in ('todo', 'doing'))",
    done="select count(*) from procrastinate_jobs where status = 'succeeded'",
    stored="select count(*) from procrastinate_jobs",
)

PEERS_OF_DOVECOTE = (GRAPHILE, PGBOSS, PGQUEUER, PROCRASTINATE)
