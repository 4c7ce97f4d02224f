"""Dispatchers side by side, and dispatchers that are killed."""

import signal
import time
from pathlib import Path

import pytest

from local.provider import Running
from tests.faults.processes import (
    Connection,
    a_nursery,
    acceptances,
    held_against_ledger,
    live,
    store_due,
)
from tests.faults.worker import Stop

KILLER = "success+killer@simulator.amazonses.com"


def test_sixteen_dispatchers_deliver_ten_thousand_routes_exactly_once(
    tmp_path: Path,
    database_url: str,
    connection: Connection,
    provider: Running,
    catalog_folder: Path,
) -> None:
    store_due(connection, 10_000)
    # Sixteen processes share two cores: a send may take its time.
    patient = {"SEND_CONNECT_SECONDS": "5", "SEND_READ_SECONDS": "20", "LEASE_SECONDS": "60"}
    nursery = a_nursery(tmp_path, database_url, provider, catalog_folder, **patient)
    workers = [nursery.begin(seconds=280) for _ in range(16)]
    tallies = [worker.answer(300) for worker in workers]
    assert sum(tally["published"] for tally in tallies) == 10_000
    assert len(provider.provider.ledger.accepted) == 10_000
    assert set(acceptances(provider).values()) == {1}
    assert held_against_ledger(connection, provider)["agree"]
    assert connection.execute(
        "select count(*) from dovecote.notification_routes"
        " where status <> 'published' or attempts <> 1 or claims <> 1"
    ).fetchone() == (0,)


@pytest.mark.channels("email")
def test_a_route_that_kills_its_worker_every_time_burns_its_own_attempts_only(
    tmp_path: Path,
    database_url: str,
    connection: Connection,
    provider: Running,
    catalog_folder: Path,
) -> None:
    addresses = [f"success+{n}@simulator.amazonses.com" for n in range(99)]
    addresses.insert(50, KILLER)
    store_due(connection, 100, addresses=addresses, max_attempts=4)
    nursery = a_nursery(tmp_path, database_url, provider, catalog_folder)
    killed = 0
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and live(connection):
        worker = nursery.begin(stop=Stop(point="before send", address=KILLER))
        killed += worker.ended() == -signal.SIGKILL
        time.sleep(0.1)
    assert live(connection) == 0
    assert killed == 4
    # Nobody knows of the fourth whether it went out.
    assert connection.execute(
        "select address, attempts, reason from dovecote.notification_dead_letters"
        " join dovecote.notification_routes using (route_id, attempts)"
    ).fetchall() == [(KILLER, 4, "ambiguous")]
    assert held_against_ledger(connection, provider)["published"] == 99
    assert held_against_ledger(connection, provider)["agree"]
