"""A provider that throttles: at random, at a fixed or a changing rate, or one shared by others.

Throughput is measured in sends accepted per second, divided by what the provider's limit allowed,
or by the same run without faults.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.provider import Fault, Order, Running
from tests.faults.processes import (
    Connection,
    a_nursery,
    acceptances,
    drained,
    live,
    outcomes,
    statuses,
    store_due,
)
from tests.faults.worker import Nursery, Worker

pytestmark = [pytest.mark.channels("email"), pytest.mark.timed]

REAL_PAUSES = {"PAUSE_BASE_SECONDS": "2", "PAUSE_MAX_SECONDS": "300"}
"""The template's."""

LEAST_SHARE = 0.85
MOST_THROTTLED = 0.02


@pytest.fixture
def nursery(tmp_path: Path, database_url: str, provider: Running, catalog_folder: Path) -> Nursery:
    return a_nursery(tmp_path, database_url, provider, catalog_folder, **REAL_PAUSES)


def per_second(provider: Running) -> float:
    """Return the acceptances per second from the first to the last."""
    times = sorted(row.time for row in list(provider.provider.ledger.accepted))
    return (len(times) - 1) / (times[-1] - times[0])


def throttled_share(provider: Running) -> float:
    counts = outcomes(provider)
    return counts["TooManyRequestsException"] / counts.total()


def drain(nursery: Nursery, connection: Connection, count: int, **environment: str) -> float:
    """Store emails, run dispatch until all are delivered, and return the seconds that it took."""
    store_due(connection, count, max_attempts=2)
    began = time.monotonic()
    while live(connection):
        nursery.begin(seconds=60, **environment).answer()
    return time.monotonic() - began


def assert_each_went_out_once_at_its_first_attempt(
    connection: Connection, provider: Running, count: int
) -> None:
    assert statuses(connection) == {"published": count}
    assert set(acceptances(provider).values()) == {1}
    rows = connection.execute("select distinct attempts from dovecote.notification_routes")
    assert rows.fetchall() == [(1,)]


def entries(rate: float) -> Order:
    """Throttle entries of bulk requests, or single ones."""
    tags = {"kind": "account-password_reset"}
    return Order(do=Fault.THROTTLE, service="ses", rate=rate, tags=tags)


def requests(rate: float) -> Order:
    """Throttle whole requests."""
    return Order(do=Fault.THROTTLE, service="ses", rate=rate)


@pytest.mark.parametrize(
    ("bulk_size", "order", "share"),
    [
        ("1", requests, 0.01),
        ("1", requests, 0.001),
        ("50", requests, 0.01),
        ("50", entries, 0.01),
        ("50", entries, 0.001),
    ],
)
def test_random_throttle_answers_slow_nothing_down(
    nursery: Nursery,
    connection: Connection,
    provider: Running,
    bulk_size: str,
    order: Callable[[float], Order],
    share: float,
) -> None:
    count = 1500
    without = drain(nursery, connection, count, EMAIL_BULK_SIZE=bulk_size)
    provider.provider.forget()
    connection.execute("delete from dovecote.notification_routes")
    provider.provider.give(order(share))
    took = drain(nursery, connection, count, EMAIL_BULK_SIZE=bulk_size)
    assert_each_went_out_once_at_its_first_attempt(connection, provider, count)
    # Both begin a process, and the last routes that were throttled are due again within 1.5 s.
    assert took <= without / LEAST_SHARE + 2


def test_throttle_answers_beside_server_errors_finish_without_loss_or_duplicates(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    provider.provider.give(
        Order(do=Fault.ERROR, service="ses", rate=0.05, whole=True, status=500), requests(0.01)
    )
    store_due(connection, 1000, max_attempts=8)
    began = time.monotonic()
    drained(nursery, connection, 60)
    assert time.monotonic() - began < 30
    assert statuses(connection) == {"published": 1000}
    assert set(acceptances(provider).values()) == {1}


def test_a_limit_that_falls_and_returns_is_followed_within_seconds(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    phases = [(100.0, 15.0), (20.0, 15.0), (100.0, 30.0)]
    allowed = sum(rate * seconds for rate, seconds in phases)
    provider.provider.send_rate = phases[0][0]
    store_due(connection, int(allowed * 1.2), max_attempts=2)
    nursery.environment |= {"EMAIL_MAX_PER_SECOND": "auto"}
    begun = [nursery.begin(seconds=120, EMAIL_BULK_SIZE=size) for size in ("1", "1", "50")]
    until_first_send(provider)
    for rate, seconds in phases:
        provider.provider.send_rate = rate
        time.sleep(seconds)
    ended(begun)
    assert len(provider.provider.ledger.accepted) / allowed >= LEAST_SHARE
    assert throttled_share(provider) <= MOST_THROTTLED


def test_a_rate_that_another_sender_takes_half_of_is_used(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    provider.provider.send_rate = 200
    seconds = 30.0
    store_due(connection, 6000, max_attempts=2)
    nursery.environment |= {"EMAIL_MAX_PER_SECOND": "auto"}
    with another_sender(provider, 100):
        worker = nursery.begin(seconds=120)
        until_first_send(provider)
        time.sleep(seconds)
        ended([worker])
    assert len(provider.provider.ledger.accepted) / (100 * seconds) >= LEAST_SHARE
    assert throttled_share(provider) <= MOST_THROTTLED


def test_a_limit_of_14_a_second_is_used(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    provider.provider.send_rate = 14
    count = 250
    store_due(connection, count, max_attempts=2)
    nursery.environment |= {"EMAIL_MAX_PER_SECOND": "auto"}
    drained(nursery, connection, 60)
    assert_each_went_out_once_at_its_first_attempt(connection, provider, count)
    assert per_second(provider) / 14 >= LEAST_SHARE
    assert throttled_share(provider) <= MOST_THROTTLED


@contextmanager
def another_sender(provider: Running, rate: float) -> Iterator[None]:
    """Take so many sends a second from the account, as another application would."""
    over = threading.Event()

    def send() -> None:
        began, sent = time.monotonic(), 0
        while not over.wait(0.005):
            while sent < (time.monotonic() - began) * rate:
                provider.provider.take_send()
                sent += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def until_first_send(provider: Running) -> None:
    ends = time.monotonic() + 30
    while not provider.provider.ledger.accepted:
        assert time.monotonic() < ends
        time.sleep(0.01)


def ended(workers: list[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
        worker.process.join()
