"""SIGKILL in the middle of sending: only what was accepted just before the kill is sent twice.

Timestamps are the provider's, of the machine's one clock. A kill during which the machine itself
gave no CPU to a process that wanted it proves nothing, and is repeated.
"""

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.provider import Fault, Order, Running
from tests.faults.processes import (
    Connection,
    a_nursery,
    drained,
    live,
    store_due,
    until,
)
from tests.faults.worker import Nursery, Worker
from tests.functions import http_event

pytestmark = pytest.mark.timed

SEED = 20261128
WRITTEN_SECONDS = 0.15
"""What the provider accepted longer before a kill than this is never sent twice."""

KILLS = 3
MOST_KILLS = 8
STALL_SECONDS = 0.04
"""How long the machine may keep a process waiting for a CPU around a kill that counts."""

PATIENT = {
    # A send that is slow because the machine is busy is not to be taken for a lost answer.
    "SEND_CONNECT_SECONDS": "2",
    "SEND_READ_SECONDS": "8",
    "LEASE_SECONDS": "60",
}


class Canary:
    """A process that wants a CPU for a moment every few milliseconds, and says how it fared."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        self._waits, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_chirp, args=(theirs,), daemon=True)
        self._process.start()
        self._stalled_at = 0.0

    def stalled(self, since: float) -> bool:
        """Return whether it waited too long for a CPU, after a time on the clock."""
        while self._waits.poll():
            self._stalled_at = self._waits.recv()
        return self._stalled_at >= since

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _chirp(waits: Any) -> None:
    while True:
        asleep = time.monotonic()
        time.sleep(0.004)
        begun, cpu = time.monotonic(), time.process_time()
        while time.process_time() - cpu < 0.001:
            pass
        waited = max(time.monotonic() - begun - 0.001, begun - asleep - 0.004)
        if waited > STALL_SECONDS:
            waits.send(time.time())


@pytest.fixture
def canary() -> Iterator[Canary]:
    one = Canary()
    yield one
    one.end()


@pytest.fixture
def nursery(tmp_path: Path, database_url: str, provider: Running, catalog_folder: Path) -> Nursery:
    topic = provider.provider.registry.create_topic("gateway", {})
    return a_nursery(
        tmp_path, database_url, provider, catalog_folder, PUSH_TOPIC_ARN=topic.arn, **PATIENT
    )


def answers_after(*orders: tuple[float, float]) -> list[Order]:
    """Return orders that let a share of the calls take so many seconds: (share, seconds)."""
    return [Order(do=Fault.STALL, rate=share, seconds=seconds) for share, seconds in orders]


@dataclass(frozen=True)
class Kill:
    """When a worker was killed, and whether that counts: the machine did not stall before it."""

    at: float
    counts: bool


def kill(worker: Worker, canary: Canary) -> Kill:
    at = time.time()
    os.kill(worker.pid, signal.SIGKILL)
    assert worker.ended() == -signal.SIGKILL
    return Kill(at, not canary.stalled(at - 0.5))


def killers(connection: Connection, kills: Sequence[Kill]) -> dict[str, Kill]:
    """Return which kill ended the claim of each route that a killed worker held.

    A claim that the database made after the last kill was not sent by anyone.
    """
    rows = connection.execute(
        "select route_id::text, extract(epoch from coalesce(last_attempt_at, created_at))::float"
        " from dovecote.notification_routes where claim_token is not null"
    )
    held = ((route_id, [kill for kill in kills if kill.at > at]) for route_id, at in rows)
    return {route_id: later[0] for route_id, later in held if later}


def sent_again(nursery: Nursery, connection: Connection, provider: Running) -> dict[str, float]:
    """Let another worker send what killed ones held; return when that was first accepted."""
    provider.provider.withdraw()
    connection.execute(
        "update dovecote.notification_routes set status = 'cancelled', next_attempt_at = null"
        " where claims = 0"
    )
    # As if the leases had run out, but not one by one.
    connection.execute(
        "update dovecote.notification_routes set claim_token = null, leased_until = null"
        " where claim_token is not null"
    )
    drained(nursery, connection)
    times: dict[str, list[float]] = {}
    for row in list(provider.provider.ledger.accepted):
        times.setdefault(row.route_id or "", []).append(row.time)
    assert max(map(len, times.values())) <= 2
    return {route_id: min(both) for route_id, both in times.items() if len(both) > 1}


def assert_only_fresh_ones_are_repeated(
    nursery: Nursery, connection: Connection, provider: Running, kills: Sequence[Kill]
) -> None:
    """Let all end, and hold the provider's ledger against the promise by the kills that count."""
    assert any(kill.counts for kill in kills), f"the machine stalled at each of {len(kills)} kills"
    killed = killers(connection, kills)
    again = sent_again(nursery, connection, provider)
    ages = [killed[route_id].at - at for route_id, at in again.items() if killed[route_id].counts]
    old = sorted(round(age * 1000) for age in ages if age > WRITTEN_SECONDS)
    assert old == [], f"of {len(ages)} sent twice these were accepted so many ms before the kill"


def strike(
    nursery: Nursery, connection: Connection, provider: Running, canary: Canary
) -> list[Kill]:
    """Kill workers that drain a backlog, until enough of the kills count."""
    chance = random.Random(SEED)
    kills: list[Kill] = []
    while sum(kill.counts for kill in kills) < KILLS and len(kills) < MOST_KILLS:
        worker = begun(nursery, provider)
        time.sleep(chance.uniform(0.1, 0.8))
        kills.append(kill(worker, canary))
        assert live(connection), "there was nothing left to be killed in"
    return kills


def begun(nursery: Nursery, provider: Running, *order: Any) -> Worker:
    """Begin a run of a function; return it when the provider has accepted something."""
    before = len(provider.provider.ledger.accepted)
    worker = nursery.begin(*order, seconds=100)
    until(lambda: len(provider.provider.ledger.accepted) > before)
    return worker


STEADY = {
    "5 ms": answers_after((1, 0.005)),
    "40 ms": answers_after((1, 0.04)),
    "200 ms": answers_after((1, 0.2)),
    "40 ms, and a second for some": answers_after((0.1, 1.0), (1, 0.04)),
}


@pytest.mark.channels("push")
@pytest.mark.channels("email")
@pytest.mark.parametrize("orders", STEADY.values(), ids=list(STEADY))
@pytest.mark.parametrize("size", [1, 50], ids=["single", "bulk"])
def test_a_killed_dispatcher_repeats_only_emails_accepted_just_before_the_kill(
    nursery: Nursery,
    connection: Connection,
    provider: Running,
    canary: Canary,
    size: int,
    orders: list[Order],
) -> None:
    nursery.environment["EMAIL_BULK_SIZE"] = str(size)
    store_due(connection, 6_000 if size == 1 else 20_000)
    provider.provider.replace(orders)
    kills = strike(nursery, connection, provider, canary)
    assert_only_fresh_ones_are_repeated(nursery, connection, provider, kills)


def test_a_killed_dispatcher_repeats_only_pushes_accepted_just_before_the_kill(
    nursery: Nursery, connection: Connection, provider: Running, canary: Canary
) -> None:
    store_due(connection, 6_000, "push")
    provider.provider.replace(STEADY["40 ms, and a second for some"])
    kills = strike(nursery, connection, provider, canary)
    assert_only_fresh_ones_are_repeated(nursery, connection, provider, kills)


KIND = "account.password_reset"
RESET = {
    "first_name": "Ann",
    "reset_url": "https://nestbox.example/reset/1",
    "valid_minutes": 15,
}
SHIPPED = {"order_id": "1", "carrier": "DHL", "first_name": "Ann"}
SLOW = "success+slow@simulator.amazonses.com"


def a_body(key: str, addresses: Sequence[str], kind: str = KIND) -> Any:
    """Return the body of a notification to so many users."""
    return {
        "kind": kind,
        "idempotency_key": key,
        "payload": RESET if kind == KIND else SHIPPED,
        "recipients": [
            {"user_id": f"u-{n}", "email": address} for n, address in enumerate(addresses)
        ],
    }


def quick(count: int) -> list[str]:
    return [f"success+{n}@simulator.amazonses.com" for n in range(count)]


SUBMITS: dict[str, tuple[str, Any]] = {
    "one notification": ("/notifications", a_body("key-1", [*quick(7), SLOW])),
    "a batch": (
        "/notifications/batch",
        {
            "notifications": [a_body(f"key-{n}", quick(3)) for n in range(2)]
            + [a_body("key-s", [SLOW])]
        },
    ),
    "a push, beside a slow email": ("/notifications", a_body("key-1", [SLOW], "order.shipped")),
}


@pytest.mark.channels("email", "push")
@pytest.mark.parametrize(("path", "body"), SUBMITS.values(), ids=list(SUBMITS))
def test_a_killed_submit_repeats_only_messages_accepted_just_before_the_kill(
    nursery: Nursery,
    connection: Connection,
    provider: Running,
    canary: Canary,
    path: str,
    body: Any,
) -> None:
    nursery.environment |= {
        "EMAIL_BULK_SIZE": "1", "INLINE_ROUTES": "8", "INLINE_BUDGET_SECONDS": "8",
    }  # fmt: skip
    provider.provider.give(Order(do=Fault.STALL, address=SLOW, seconds=3))
    kills: list[Kill] = []
    while not any(kill.counts for kill in kills) and len(kills) < MOST_KILLS:
        named = json.dumps(body).replace("key-", f"key-{len(kills)}-")
        worker = begun(nursery, provider, "submit", http_event("POST", path, named.encode()))
        time.sleep(1)
        kills.append(kill(worker, canary))
    assert_only_fresh_ones_are_repeated(nursery, connection, provider, kills)
