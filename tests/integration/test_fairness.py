"""A kind with a large backlog delays no other kind of its priority. ADR 47."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import psycopg
import pytest

from dovecote.channels.lanes import BUCKETS, Lane
from dovecote.core.claim import Claim
from dovecote.core.notification import Priority
from dovecote.core.outcome import Outcome
from dovecote.core.ports import Clock
from dovecote.dispatch.claiming import LOOK_SECONDS, ChannelCursors, Claiming
from dovecote.dispatch.sending.sender import Sender
from dovecote.store.database import Database
from tests.builders import (
    CHANNEL,
    ScriptedChannel,
    a_dispatch,
    a_notification,
    a_route,
    accept,
    store_routes,
    stored,
)
from tests.store import Store

Connection = psycopg.Connection[Any]
RATE = 14
OTHER = Lane(channel=CHANNEL, priority=Priority.NORMAL, bucket=1, retry=False).number


class SlotSender(Sender):
    """A sender that waits for the slots of its messages."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**{**parts, "sleep": time.sleep})


class Sends:
    """A provider that remembers when routes of each lane were sent."""

    def __init__(self) -> None:
        self.at: list[tuple[float, int]] = []

    def __call__(self, claim: Claim) -> Outcome:
        self.at.append((time.monotonic(), claim.lane))
        return accept(claim)

    def of(self, lane: int) -> list[float]:
        return [at for at, one in list(self.at) if one == lane]


def store_campaign(connection: Connection, store: Store, count: int) -> None:
    """Store so many routes of a kind, which have been due for up to an hour."""
    connection.execute("set statement_timeout = 0")
    store_routes(store, 1)
    connection.execute(
        "insert into dovecote.notification_routes (route_id, notification_id, position, channel,"
        "  target, user_id, address, priority, lane, status, max_attempts, next_attempt_at,"
        "  expires_at)"
        " select uuidv7(), notification_id, i, channel, target, user_id, address, priority, lane,"
        "  status, max_attempts, clock_timestamp() - i * interval '50 ms', expires_at"
        " from dovecote.notification_routes, generate_series(1, %s) i",
        (count - 1,),
    )


def run_until(over: Callable[[], object], url: str, sends: Sends, workers: int) -> None:
    """Run dispatchers at a rate of 14 a second until something is true, at most 15 s."""
    until = time.monotonic() + 15

    def left() -> float:
        return 0.0 if over() else until - time.monotonic()

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as own:
            a_dispatch(
                Store(Database(lambda: own), default_max_attempts=5),
                ScriptedChannel(answer=sends),
                clock=time.monotonic,
                rate=RATE,
                kind=SlotSender,
            )(left)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_route_is_sent_within_5_s_whatever_the_backlog_of_another_kind(
    store: Store, connection: Connection, database_url: str, workers: int
) -> None:
    store_campaign(connection, store, 50_000)
    sends, stored_at = Sends(), list[float]()

    def store_other() -> None:
        stored(store, a_notification([a_route()], bucket=1))
        stored_at.append(time.monotonic())

    timer = threading.Timer(1.5, store_other)
    timer.start()
    run_until(lambda: sends.of(OTHER), database_url, sends, workers)
    timer.join()
    assert sends.of(OTHER)[0] - stored_at[0] < 5
    times = sorted(at for at, _ in sends.at)
    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(RATE, rel=0.1)


def store_kinds(store: Store, counts: Sequence[int]) -> None:
    """Store so many routes of the kind of each bucket, one bucket after the other."""
    for bucket, count in enumerate(counts):
        for _ in range(count):
            stored(store, a_notification([a_route()], bucket=bucket))


def a_claiming(store: Store, clock: Clock = lambda: 0.0) -> Claiming:
    services = a_dispatch(store, ScriptedChannel(), clock=clock).services
    return Claiming(services, CHANNEL, ChannelCursors())


def claimed_by_bucket(claiming: Claiming, room: int) -> list[int]:
    """Claim a batch of routes of normal priority; return how many are of each bucket."""
    claimed = chain.from_iterable(claiming.claim(room, lapsed_first=False, alone=False))
    counts = Counter(claim.lane for claim in claimed)
    return [counts.pop(OTHER + 2 * (bucket - 1), 0) for bucket in range(BUCKETS)]


@pytest.mark.parametrize(
    ("stored_counts", "expected"),
    [
        ([100], [40]),
        ([100, 1], [39, 1]),
        ([100, 100], [20, 20]),
        ([100, 100, 3, 3], [17, 17, 3, 3]),
        ([100, 0, 0, 0, 0, 0, 0, 15], [25, 0, 0, 0, 0, 0, 0, 15]),
        ([10, 10, 10, 10, 10, 10, 10, 10], [5, 5, 5, 5, 5, 5, 5, 5]),
        ([3, 3], [3, 3]),
    ],
)
def test_a_claim_shares_a_batch_among_kinds_and_passes_on_what_a_kind_does_not_need(
    store: Store, stored_counts: list[int], expected: list[int]
) -> None:
    store_kinds(store, stored_counts)
    found = claimed_by_bucket(a_claiming(store), 40)
    assert found == expected + [0] * (BUCKETS - len(expected))


def test_a_kind_with_its_first_due_route_is_found_half_a_second_later(store: Store) -> None:
    now = 0.0
    claiming = a_claiming(store, lambda: now)
    store_kinds(store, [100])
    assert claimed_by_bucket(claiming, 20)[:2] == [20, 0]
    store_kinds(store, [0, 20])
    now = LOOK_SECONDS / 2
    assert claimed_by_bucket(claiming, 20)[:2] == [20, 0]
    now = LOOK_SECONDS
    assert claimed_by_bucket(claiming, 20)[:2] == [10, 10]


@pytest.mark.parametrize("given_back", [False, True])
def test_lanes_without_work_are_read_from_their_cursors_until_routes_are_given_back(
    store: Store, connection: Connection, given_back: bool
) -> None:
    now = 0.0
    claiming = a_claiming(store, lambda: now)
    store_kinds(store, [20])
    assert claimed_by_bucket(claiming, 10)[:2] == [10, 0]
    store_kinds(store, [0, 1])
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = now() - interval '1 hour'"
        " where lane = %s",
        (OTHER,),
    )
    if given_back:
        claiming.restart()
    now = LOOK_SECONDS
    assert claimed_by_bucket(claiming, 5)[1] == given_back
