"""Dispatchers side by side, and dispatchers that are killed."""

import signal
import time
from pathlib import Path
from typing import Any

import psycopg

from local.provider import Running
from tests.faults.processes import acceptances, published, start, store_emails, tally_of
from tests.functions import environment

Connection = psycopg.Connection[Any]
KILLER = "success+killer@simulator.amazonses.com"


def test_two_dispatchers_at_once_deliver_two_thousand_routes_exactly_once(
    database_url: str, connection: Connection, provider: Running, catalog_folder: Path
) -> None:
    addresses = [f"success+{n}@simulator.amazonses.com" for n in range(2000)]
    store_emails(connection, addresses, max_attempts=8)
    values = environment(database_url, provider.url, catalog_folder)
    workers = [start(values), start(values)]
    tallies = [tally_of(worker) for worker in workers]
    assert sum(tally["published"] for tally in tallies) == 2000
    assert all(tally["published"] > 0 for tally in tallies)
    ledger = {
        row.content.tags["route_id"]: row.message_id  # type: ignore[union-attr]
        for row in provider.provider.ledger.accepted
    }
    assert set(acceptances(provider).values()) == {1}
    assert published(connection) == ledger
    assert len(ledger) == 2000
    assert connection.execute(
        "select count(*) from dovecote.notification_routes where attempts <> 1 or claims <> 1"
    ).fetchone() == (0,)


def test_a_route_that_kills_its_worker_every_time_burns_its_own_attempts_only(
    database_url: str, connection: Connection, provider: Running, catalog_folder: Path
) -> None:
    addresses = [f"success+{n}@simulator.amazonses.com" for n in range(99)]
    store_emails(connection, [*addresses[:50], KILLER, *addresses[50:]], max_attempts=4)
    values = environment(
        database_url,
        provider.url,
        catalog_folder,
        LEASE_SECONDS="3",
        SEND_CONNECT_SECONDS="0.4",
        SEND_READ_SECONDS="1",
    )
    killed = 0
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and live(connection):
        worker = start(values, KILLER)
        worker.communicate(timeout=60)
        killed += worker.returncode == -signal.SIGKILL
        time.sleep(0.2)
    assert live(connection) == 0
    assert killed == 4
    assert connection.execute(
        "select resolved_email, attempts, reason from dovecote.notification_dead_letters"
        " join dovecote.notification_routes using (route_id, attempts)"
    ).fetchall() == [(KILLER, 4, "attempts")]
    assert len(published(connection)) == 99
    assert set(published(connection)) == set(acceptances(provider))


def live(connection: Connection) -> int:
    row = connection.execute(
        "select count(*) from dovecote.notification_routes where next_attempt_at is not null"
    ).fetchone()
    assert row is not None
    return int(row[0])
