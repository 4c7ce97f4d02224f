"""Denied recipients among good ones, with real dispatchers and the template's real pauses."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Fault, Order, Running
from tests.faults.processes import a_nursery, store_due
from tests.faults.worker import Nursery
from tests.sending import DENIED

Connection = psycopg.Connection[Any]


@pytest.mark.channels("email")
@pytest.mark.parametrize("bulk", ["1", "50"])
@pytest.mark.parametrize("denied", [1, 3, 20])
def test_three_dispatchers_send_all_good_emails_within_seconds(
    tmp_path: Path,
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    connection: Connection,
    denied: int,
    bulk: str,
) -> None:
    nursery = a_nursery(
        tmp_path, database_url, provider, catalog_folder,
        PAUSE_BASE_SECONDS="2", PAUSE_MAX_SECONDS="300", EMAIL_BULK_SIZE=bulk,
    )  # fmt: skip
    bad = [f"success+bad{n}@simulator.amazonses.com" for n in range(denied)]
    good = [f"success+good{n}@simulator.amazonses.com" for n in range(60 - denied)]
    for address in bad:
        provider.provider.give(
            Order(
                do=Fault.ERROR, status=403, code="AccessDeniedException", address=address,
                whole=True,
            )
        )  # fmt: skip
    store_due(connection, 60, addresses=[*bad, *good], max_attempts=3)
    began = time.monotonic()
    for worker in [nursery.begin(seconds=25) for _ in range(3)]:
        worker.answer()
    assert time.monotonic() - began < 30
    found = connection.execute(
        "select address like '%%good%%', status, attempts, last_error is null"
        " from dovecote.notification_routes"
    ).fetchall()
    states = Counter(tuple(row) for row in found)
    assert states[True, "published", 1, True] == 60 - denied
    assert sum(states.values()) == 60
    accepted = Counter(row.target for row in provider.provider.ledger.accepted)
    assert accepted == dict.fromkeys(good, 1)
    ended = "select status, count(*) from dovecote.notification_routes group by 1 order by 1"
    run_until(
        nursery,
        lambda: (
            connection.execute(ended).fetchall()
            == [("dead_lettered", denied), ("published", 60 - denied)]
        ),
    )


def test_three_dispatchers_and_a_denied_resource_burn_no_attempt(
    tmp_path: Path,
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    connection: Connection,
) -> None:
    nursery = a_nursery(
        tmp_path, database_url, provider, catalog_folder,
        PAUSE_BASE_SECONDS="2", PAUSE_MAX_SECONDS="300",
    )  # fmt: skip
    provider.provider.give(Order(do=Fault.ERROR, **DENIED))
    store_due(connection, 60, max_attempts=1)
    for worker in [nursery.begin(seconds=15) for _ in range(3)]:
        worker.answer()
    counts = "select status, attempts, count(*) from dovecote.notification_routes group by 1, 2"
    assert connection.execute(counts).fetchall() == [("pending", 0, 60)]
    operations = Counter(row.operation for row in provider.provider.ledger.attempts)
    assert operations["SendEmail"] + operations["Publish"] <= 32 * 3
    provider.provider.withdraw()
    run_until(nursery, lambda: connection.execute(counts).fetchall() == [("published", 1, 60)])


def run_until(nursery: Nursery, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Run one dispatcher after the other until a condition holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        nursery.begin(seconds=10).answer()
        time.sleep(0.2)
