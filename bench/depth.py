"""How long the store takes to claim and to publish a batch, whatever lies beside what is due."""

import time
import uuid
from collections.abc import Mapping
from statistics import median

import psycopg

from bench.contender import DOVECOTE
from bench.measure import Bench
from dovecote.model import Lease
from dovecote.store.database import Connection, Database
from dovecote.store.postgres import PostgresStore

BATCH, BATCHES = 100, 50
WANTED = 10_000
PUSH, SCHEDULED = 8, "1 day"

# Copies of the routes that are due, as many as are missing, put into another state.
BESIDE = """
insert into dovecote.notification_routes
    (route_id, notification_id, position, channel, target, user_id, resolved_email, priority,
     status, max_attempts, next_attempt_at, expires_at)
select gen_random_uuid(), notification_id, n, %(channel)s, %(target)s, user_id, null, 1,
       'pending', 0, now() + %(due_in)s::interval, expires_at
from dovecote.notification_routes, generate_series(1, %(copies)s) n
"""

CASES: Mapping[str, Mapping[str, str]] = {
    "due": {"channel": "push", "target": "topic", "due_in": "0"},
    "emails due behind a pause": {"channel": "email", "target": "address", "due_in": "0"},
    "scheduled for tomorrow": {"channel": "push", "target": "topic", "due_in": SCHEDULED},
}


def milliseconds(bench: Bench, case: str, beside: int) -> tuple[float, float]:
    """Return the medians of a claim of 100 and of their publishing, with so many routes beside."""
    url = bench.filled(DOVECOTE, WANTED)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set statement_timeout = 0")
        if beside:
            copies = {"copies": beside // WANTED}
            connection.execute(BESIDE.encode(), {**CASES[case], **copies})
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return _measured(url)


def _measured(url: str) -> tuple[float, float]:
    database = Database(lambda: Connection.connect(url, autocommit=True, prepare_threshold=None))
    store = PostgresStore(database, default_max_attempts=8)
    both = [_batch(store) for _ in range(BATCHES)]
    database.close()
    return median(claim for claim, _ in both), median(publish for _, publish in both)


def _batch(store: PostgresStore) -> tuple[float, float]:
    begun = time.perf_counter()
    claims = store.claim({PUSH: BATCH}, Lease(token=uuid.uuid4(), seconds=60))
    claimed = time.perf_counter()
    with store.transaction() as transaction:
        ids = {claim.route_id: str(claim.route_id) for claim in claims}
        written = transaction.publish(claims[0].token, ids)
    published = time.perf_counter()
    assert written == BATCH
    return (claimed - begun) * 1000, (published - claimed) * 1000
