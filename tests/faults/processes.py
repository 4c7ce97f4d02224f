"""What fault tests share: routes to store, the ledger held against the database, short waits."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
from psycopg.rows import dict_row

from dovecote.channels import lanes
from dovecote.feedback.record_feedback import RecordFeedback
from dovecote.store.database import Connection as Bounded
from dovecote.store.database import Database
from dovecote.store.feedback import PostgresFeedback
from local.page.agreement import agreement
from local.provider import Running
from tests.builders import CHANNEL, a_route
from tests.faults.worker import Nursery
from tests.functions import environment
from tests.sending import channel_body

Connection = psycopg.Connection[Any]

QUICK = {
    # Two sends fit into a lease of a second; what a killed worker held is soon tried again.
    "LEASE_SECONDS": "2.5",
    "SEND_CONNECT_SECONDS": "0.5",
    "SEND_READ_SECONDS": "0.7",
    "INLINE_BUDGET_SECONDS": "1",
    "BACKOFF_BASE_SECONDS": "0.1",
    "BACKOFF_MAX_SECONDS": "0.5",
    "PAUSE_BASE_SECONDS": "0.2",
    "PAUSE_MAX_SECONDS": "1",
    "EMAIL_MAX_PER_SECOND": "10000",
    "EMAIL_CONFIGURATION_SET": "dovecote",
    "MAX_ATTEMPTS": "8",
}


def a_nursery(
    directory: Path, database_url: str, provider: Running, catalog: Path, **more: str
) -> Nursery:
    """Make the place that workers come from, with quick settings."""
    values = environment(database_url, provider.url, catalog)
    return Nursery(directory, {**values, **QUICK, **more})


def store_due(
    connection: Connection,
    count: int,
    channel: str = CHANNEL,
    *,
    max_attempts: int = 8,
    priority: int = 0,
    expires_in: float = 3600,
    addresses: Sequence[str] = (),
) -> None:
    """Store one due notification of a channel with so many routes.

    A route of email has one of the addresses, or one of its own; a route of push goes to the topic.
    """
    route, body = a_route(channel), channel_body(channel)
    addresses = addresses or [f"success+{n}@simulator.amazonses.com" for n in range(count)]
    connection.execute(
        "with n as (insert into dovecote.notifications"
        "  (notification_id, kind, idempotency_key, fingerprint)"
        "  values (gen_random_uuid(), %s, gen_random_uuid()::text, 'f')"
        "  returning notification_id),"
        " p as (insert into dovecote.notification_payloads"
        "  select notification_id, -1, %s from n)"
        " insert into dovecote.notification_routes (route_id, notification_id, position, channel,"
        "  target, user_id, address, address_hash, priority, lane, status, max_attempts,"
        "  next_attempt_at, expires_at)"
        " select gen_random_uuid(), notification_id, position, %s, %s, 'u-1',"
        "  case when %s then address end, case when %s then md5(address)::bytea end, %s, %s,"
        "  'pending', %s, clock_timestamp(),"
        "  clock_timestamp() + make_interval(secs => %s)"
        " from n, unnest(%s::text[]) with ordinality as a (address, position)",
        (
            body["kind"],
            json.dumps(body["payload"]),
            channel,
            route.target,
            route.address is not None,
            route.address is not None,
            priority,
            lanes.of(channel)[priority * 2 * lanes.BUCKETS].number,
            max_attempts,
            expires_in,
            list(addresses),
        ),
    )


def held_against_ledger(connection: Connection, provider: Running) -> dict[str, Any]:
    """Hold every route against the provider's ledger, as the page of make run does."""
    with connection.cursor(row_factory=dict_row) as cursor:
        routes = cursor.execute(
            "select route_id::text, notification_id::text, status, provider_message_id"
            " from dovecote.notification_routes"
        ).fetchall()
    accepted = list(provider.provider.ledger.accepted)
    return agreement(routes, accepted, accepted)


def acceptances(provider: Running) -> Counter[str]:
    """Count what the provider accepted by route."""
    return Counter(row.route_id or "" for row in list(provider.provider.ledger.accepted))


def outcomes(provider: Running) -> Counter[str]:
    """Count what was to be sent by what became of it."""
    return Counter(attempt.outcome for attempt in list(provider.provider.ledger.attempts))


def requests(provider: Running) -> Counter[str]:
    """Count the requests by what became of them: a bulk call once for each, however many it had."""
    rows = list(provider.provider.ledger.attempts)
    return Counter(outcome for _, outcome in {(r.call or r.sequence, r.outcome) for r in rows})


def statuses(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        "select status, count(*) from dovecote.notification_routes group by status"
    )
    return dict(rows.fetchall())


def live(connection: Connection) -> int:
    row = connection.execute(
        "select count(*) from dovecote.notification_routes where next_attempt_at is not null"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _living(connection: Connection) -> Any:
    """Say what is still live, and how the channels stand."""
    routes = connection.execute(
        "select channel, status, attempts, claims, claim_token is not null as claimed,"
        " leased_until - clock_timestamp(), next_attempt_at - clock_timestamp(), last_error"
        " from dovecote.notification_routes where next_attempt_at is not null limit 5"
    ).fetchall()
    return routes, connection.execute("select * from dovecote.channel_state").fetchall()


def drained(
    nursery: Nursery, connection: Connection, seconds: float = 60, workers: int = 1
) -> None:
    """Run dispatchers one after the other, as the schedule does, until every route has ended."""
    deadline = time.monotonic() + seconds
    while live(connection):
        assert time.monotonic() < deadline, f"still live: {_living(connection)}"
        for worker in [nursery.begin(seconds=20) for _ in range(workers)]:
            worker.answer(60)
        time.sleep(0.1)


def until(happened: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to happen."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


@contextmanager
def told(database_url: str, provider: Running) -> Iterator[None]:
    """Bring the provider's events to the feedback use case while the context lasts, each twice."""
    over = Event()
    database = Database(
        lambda: Bounded.connect(database_url, autocommit=True, prepare_threshold=None)
    )
    take = RecordFeedback(store=PostgresFeedback(database))

    def bring() -> None:
        brought = 0
        while not over.is_set() or brought < len(provider.provider.events):
            for event in provider.provider.events[brought:]:
                text = json.dumps(event)
                take(text)
                take(text)
                brought += 1
            over.wait(0.02)
        database.close()

    thread = Thread(target=bring)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
