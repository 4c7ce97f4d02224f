"""How long the store takes to claim and to publish a batch, whatever lies beside what is due."""

import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psycopg

from bench import routes
from bench.contender import DOVECOTE
from bench.measure import Bench, settle
from bench.report import Rounds, Table, Target, ratios, spread
from bench.rounds import Size
from dovecote.core.claim import Lease
from dovecote.dispatch.cursors import LaneCursors
from dovecote.store.database import Connection, Database
from dovecote.store.dispatch.dispatch_store import PostgresDispatchStore

BATCH = 100
WARM = 5
DUE = 10_000
"""How many stay due at the end of the last round, where nothing is beside."""

AIM = 1.25

SOURCE = """from (
    select notification_id, uuidv7() as id
    from dovecote.notification_routes, generate_series(1, %(copies)s::integer)
    order by id
    limit %(beside)s::integer
) other"""
"""Notifications get more routes, and the primary key gets them in its order, which is faster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is beside: so many millions, and how they differ from a route that is due."""

    words: str
    times: int
    differing: Mapping[str, str] = field(default_factory=dict, hash=False)

    def named(self, beside: int) -> str:
        """Return what a row of the table is called."""
        return f"and {self.times * beside:,} {self.words}" if self.times else self.words


EMAIL = {"channel": "'email'", "target": "'address'", "address": "'a@example.com'"}
LATER = {"next_attempt_at": "clock_timestamp() + interval '1 day'"}
FINISHED = {
    "status": "'published'",
    "attempts": "1",
    "claims": "1",
    "next_attempt_at": "null::timestamptz",
    "published_at": "now()",
    "provider_message_id": "gen_random_uuid()::text",
}
LONE = Case(words=f"{DUE:,} due", times=0)
CASES = (
    LONE,
    Case(words="due", times=1),
    Case(words="due", times=5),
    Case(words="emails due behind a pause", times=1, differing=EMAIL),
    Case(words="scheduled for tomorrow", times=1, differing=LATER),
    Case(words="finished", times=5, differing=FINISHED),
)

FILLING = (
    "set session_replication_role = replica",
    "set synchronous_commit = off",
    "set work_mem = '256MB'",
    "set maintenance_work_mem = '512MB'",
)
"""For the session that fills; the one that is measured has the server's own."""

INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
where indrelid = 'dovecote.notification_routes'::regclass and not indisprimary
"""

WARMED = """
select pg_prewarm(indexrelid) from pg_index
where indrelid in ('dovecote.notification_routes'::regclass, 'dovecote.notifications'::regclass)
"""

Times = tuple[float, float]
"""The milliseconds of a claim, and of its publishing."""


def due(size: Size) -> int:
    """Return how many are due at first: what is measured, and what stays."""
    return DUE + (WARM + size.batches * size.rounds) * BATCH


class Deep:
    """A database with a case beside what is due."""

    def __init__(self, url: str) -> None:
        self._database = Database(
            lambda: Connection.connect(url, autocommit=True, prepare_threshold=None)
        )
        self._store = PostgresDispatchStore(self._database, default_max_attempts=8)

    def warm(self) -> None:
        """Read the indexes into memory, and begin."""
        self._database.run(lambda connection: connection.execute(WARMED))
        for _ in range(WARM):
            self.batch()

    def batch(self) -> Times:
        """Claim and publish a batch."""
        begun = time.perf_counter()
        lease = Lease(token=uuid.uuid4(), seconds=600)
        quotas = {routes.DUE: BATCH}
        claims = list(self._store.claim(routes.CHANNEL, quotas, lease, LaneCursors())[0])
        claimed = time.perf_counter()
        with self._store.transaction() as transaction:
            ids = {claim.route_id: str(claim.route_id) for claim in claims}
            written = transaction.publish(claims[0].token, ids)
        published = time.perf_counter()
        assert written == BATCH
        return (claimed - begun) * 1000, (published - claimed) * 1000

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


@contextmanager
def _deep(bench: Bench, database: str, case: Case, size: Size) -> Iterator[Deep]:
    """Build a case in a database of its own, and drop it afterwards."""
    url = bench.empty(DOVECOTE, database)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create extension pg_prewarm")
            routes.fill(connection, due(size))
            if case.times:
                insert_more(connection, case, size.beside * case.times)
        settle(url)
        with closing(Deep(url)) as deep:
            yield deep
    finally:
        bench.drop(database)


def insert_more(connection: psycopg.Connection[Any], case: Case, beside: int) -> None:
    """Insert many routes, and their indexes afterwards, without a look at each foreign key."""
    for setting in FILLING:
        connection.execute(setting)
    indexes = connection.execute(INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index {name}".encode())
    there = connection.execute("select count(*) from dovecote.notification_routes").fetchone()
    assert there is not None
    statement = routes.insertion(SOURCE, route_id="id", **case.differing)
    values = {"beside": beside, "copies": -(-beside // there[0])}
    connection.execute(statement.encode(), values)
    for _, definition in indexes:
        connection.execute(definition.encode())


def table(bench: Bench, size: Size) -> Table:
    """Measure a claim and its publishing beside many other routes."""
    with ExitStack() as stack:
        built = {
            case: stack.enter_context(_deep(bench, f"depth_{place}", case, size))
            for place, case in enumerate(CASES)
        }
        for deep in built.values():
            deep.warm()
        found = [_round(size.batches, built) for _ in range(size.rounds)]
    claims, publishings, wholes = (
        {case: [one[case][part] for one in found] for case in CASES} for part in range(3)
    )
    over = {case: ratios(wholes[case], wholes[LONE]) for case in CASES if case is not LONE}
    return Table(
        title=f"Claim and publish of {BATCH} at depth",
        note=f"Milliseconds, medians of {size.batches} batches in each round, over one connection:"
        " the claim with what the notifications say, the publishing with its commit, and both as"
        f" a multiple of those with no more than {DUE:,} to {due(size):,} due. The databases take"
        " turns batch by batch, with their indexes in memory.",
        columns=("claim", "publish", "ratio of both"),
        rows={
            case.named(size.beside): [
                spread(claims[case]),
                spread(publishings[case]),
                spread(over[case], "x") if case in over else "",
            ]
            for case in CASES
        },
        targets=[*_targets(over, size)],
    )


def _targets(over: Mapping[Case, Rounds], size: Size) -> Iterator[Target]:
    for case, rounds in over.items():
        beside = case.named(size.beside).removeprefix("and ")
        yield Target(what=f"claim and publish beside {beside}", most=AIM, rounds=rounds)


def _round(count: int, built: Mapping[Case, Deep]) -> dict[Case, Sequence[float]]:
    """Return for each case the medians of claim, publishing and both, taken in turns."""
    taken: dict[Case, list[Times]] = {case: [] for case in built}
    for _ in range(count):
        for case in random.sample(list(built), k=len(built)):
            taken[case].append(built[case].batch())
    return {case: _medians(times) for case, times in taken.items()}


def _medians(times: Sequence[Times]) -> Sequence[float]:
    claims, publishings = zip(*times, strict=True)
    return [median(claims), median(publishings), median(map(sum, times))]
