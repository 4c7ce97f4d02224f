"""Heart 8: claiming by the database's clock, by lanes, oldest first, with lease and token."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from dovecote import lanes
from dovecote.model import (
    Cancellation,
    Channel,
    Failed,
    Lease,
    NotBegun,
    Priority,
    Result,
)
from dovecote.ports import StoreUnavailable
from dovecote.store.database import Database
from dovecote.store.postgres import PostgresStore
from tests.builders import (
    ScriptedChannel,
    a_dispatch,
    a_finaliser,
    a_lease,
    a_notification,
    a_route,
    a_submission,
    claim_all,
    forever,
    store_routes,
    stored,
)

Connection = psycopg.Connection[Any]


def test_a_claim_counts_the_attempt_and_takes_a_lease(
    store: PostgresStore, connection: Connection
) -> None:
    store_routes(store, 1)
    lease = a_lease(60)
    (claim,) = store.claim(dict.fromkeys(range(12), 5), lease)
    assert (claim.attempts, claim.claims, claim.counted, claim.token) == (1, 1, True, lease.token)
    row = connection.execute(
        "select attempts, claims, claim_token, status, last_attempt_at is not null,"
        " extract(epoch from leased_until - clock_timestamp())::float"
        " from dovecote.notification_routes"
    ).fetchone()
    assert row is not None
    assert row[:5] == (1, 1, lease.token, "pending", True)
    assert 58 < row[5] <= 60


def test_a_claimed_route_is_nobody_elses(store: PostgresStore) -> None:
    store_routes(store, 3)
    assert len(claim_all(store)) == 3
    assert claim_all(store) == []
    assert store.claim_lapsed(a_lease()) is None


def test_what_is_not_due_is_not_claimed(store: PostgresStore) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    stored(store, a_notification(submission=a_submission(deliver_at=later)))
    assert claim_all(store) == []


def test_a_time_in_the_past_means_now(store: PostgresStore, connection: Connection) -> None:
    past = datetime.now(UTC) - timedelta(days=400)
    stored(store, a_notification(submission=a_submission(deliver_at=past)))
    assert len(claim_all(store)) == 1
    assert connection.execute(
        "select next_attempt_at = created_at from dovecote.notification_routes"
    ).fetchone() == (True,)


def test_the_oldest_of_a_lane_comes_first(store: PostgresStore, connection: Connection) -> None:
    store_routes(store, 20)
    connection.execute(
        "update dovecote.notification_routes"
        " set next_attempt_at = clock_timestamp() - position * interval '1 second'"
    )
    number = lanes.Lane(channel=Channel.EMAIL, priority=Priority.NORMAL, retry=False).number
    picked = {claim.route_id for claim in store.claim({number: 5}, a_lease())}
    oldest = connection.execute(
        "select route_id from dovecote.notification_routes where position >= 15"
    ).fetchall()
    assert picked == {route_id for (route_id,) in oldest}


def test_a_claim_takes_no_more_of_a_lane_than_it_names(store: PostgresStore) -> None:
    store_routes(store, 30, Channel.EMAIL)
    store_routes(store, 30, Channel.PUSH)
    email, push = (
        lanes.Lane(channel=channel, priority=Priority.NORMAL, retry=False).number
        for channel in (Channel.EMAIL, Channel.PUSH)
    )
    got = Counter(claim.lane for claim in store.claim({email: 7, push: 3}, a_lease()))
    assert got == {email: 7, push: 3}


def test_the_database_and_the_code_number_the_lanes_alike(
    store: PostgresStore, connection: Connection
) -> None:
    for channel in Channel:
        for priority in Priority:
            stored(store, a_notification([a_route(channel)], priority=priority))
    connection.execute("update dovecote.notification_routes set max_attempts = 9")
    fresh = {claim.lane for claim in claim_all(store)}
    connection.execute(
        "update dovecote.notification_routes"
        " set status = 'retrying', claim_token = null, leased_until = null"
    )
    retries = {claim.lane for claim in claim_all(store)}
    assert fresh == {lane.number for lane in lanes.ALL if not lane.retry}
    assert retries == {lane.number for lane in lanes.ALL if lane.retry}


def test_a_batch_is_filled_when_only_one_lane_has_work(store: PostgresStore) -> None:
    store_routes(store, 250, priority=Priority.LOW)
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel, batch_size=100)(forever)
    assert tally["published"] == 250


def test_retries_do_not_starve_new_work_and_low_priorities_move(
    store: PostgresStore, connection: Connection
) -> None:
    for priority in Priority:
        store_routes(store, 200, priority=priority)
    connection.execute(
        "update dovecote.notification_routes set status = 'retrying' where position % 2 = 0"
    )
    claims = store.claim(lanes.shares(100), a_lease())
    by_lane = Counter(claim.lane for claim in claims)
    of_email = {lane.number: lane for lane in lanes.ALL if lane.channel is Channel.EMAIL}
    assert set(by_lane) == set(of_email)
    retries = sum(count for number, count in by_lane.items() if of_email[number].retry)
    assert retries <= len(claims) / 2


def test_a_route_at_its_last_attempt_is_claimed_to_be_ended_without_a_send(
    store: PostgresStore, connection: Connection
) -> None:
    store_routes(store, 1, max_attempts=2)
    connection.execute("update dovecote.notification_routes set attempts = 2, claims = 2")
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel)(forever)
    assert tally == {
        "claimed": 1, "published": 0, "retrying": 0, "dead_lettered": 1, "given_back": 0,
    }  # fmt: skip
    assert channel.asked == []
    assert ended(connection) == ("dead_lettered", 2, 3, "attempts")


def test_a_route_past_its_time_is_claimed_to_be_ended_without_a_send(
    store: PostgresStore, connection: Connection
) -> None:
    store_routes(store, 1, expires_in=0)
    channel = ScriptedChannel()
    a_dispatch(store, channel)(forever)
    assert channel.asked == []
    assert ended(connection) == ("dead_lettered", 0, 1, "expired")


def test_a_route_that_ends_without_a_send_keeps_its_last_error(
    store: PostgresStore, connection: Connection
) -> None:
    store_routes(store, 1, max_attempts=2)
    a_dispatch(store, ScriptedChannel(answer=lambda _: Failed(error="no luck")))(forever)
    connection.execute(
        "update dovecote.notification_routes"
        " set next_attempt_at = clock_timestamp(), expires_at = clock_timestamp()"
    )
    a_dispatch(store, ScriptedChannel())(forever)
    assert connection.execute(
        "select reason, error from dovecote.notification_dead_letters"
    ).fetchall() == [("expired", "no luck")]


def test_a_lapsed_lease_leaves_its_route_to_be_claimed_alone_and_after_the_fresh(
    store: PostgresStore, connection: Connection
) -> None:
    store_routes(store, 5)
    lapsed = {claim.route_id for claim in claim_all(store, seconds=0)}
    store_routes(store, 5)
    batches: list[list[UUID]] = []

    class Batches(ScriptedChannel):
        def deliver(self, claims: Any, begin_before: float) -> Any:
            batches.append([claim.route_id for claim in claims])
            return super().deliver(claims, begin_before)

    a_dispatch(store, Batches())(forever)
    assert [len(batch) for batch in batches] == [5, 1, 1, 1, 1, 1]
    assert {route_id for batch in batches[1:] for route_id in batch} == lapsed
    assert connection.execute(
        "select count(*) from dovecote.notification_routes where status = 'published'"
    ).fetchone() == (10,)


def test_a_lapsed_lease_leaves_its_attempt_counted(store: PostgresStore) -> None:
    store_routes(store, 1, max_attempts=3)
    claim_all(store, seconds=0)
    again = store.claim_lapsed(a_lease())
    assert again is not None
    assert (again.attempts, again.claims) == (2, 2)


def test_under_a_backlog_lapsed_routes_move_in_the_last_part_of_a_run(
    store: PostgresStore, connection: Connection
) -> None:
    store_routes(store, 3)
    claim_all(store, seconds=0)
    store_routes(store, 100)
    left = iter([90.0] + [10.0] * 1000)
    a_dispatch(store, ScriptedChannel(), batch_size=12)(lambda: next(left))
    assert connection.execute(
        "select count(*) from dovecote.notification_routes where status = 'published'"
        " and claims = 2"
    ).fetchone() == (3,)


@pytest.mark.parametrize("batch_seconds", [1, 7, 10, 11, 13, 20, 30, 60])
def test_a_lapsed_route_moves_in_each_run_however_long_its_batches_take(
    store: PostgresStore, connection: Connection, batch_seconds: float
) -> None:
    store_routes(store, 1)
    claim_all(store, seconds=0)
    store_routes(store, 2000)
    now = 0.0

    class Slow(ScriptedChannel):
        def deliver(self, claims: Any, begin_before: float) -> Any:
            nonlocal now
            now = min(now + batch_seconds * len(claims) / 12, begin_before + 12)
            return super().deliver(claims, begin_before)

    dispatch = a_dispatch(
        store, Slow(), batch_size=12, send_seconds=12, clock=lambda: now, lease_seconds=60
    )
    dispatch(lambda: 90 - now)
    assert connection.execute(
        "select count(*) from dovecote.notification_routes where status = 'published'"
        " and claims = 2"
    ).fetchone() == (1,)


def test_a_lapsed_route_that_is_given_back_stays_in_doubt(
    store: PostgresStore, connection: Connection
) -> None:
    store_routes(store, 1)
    (first,) = claim_all(store, seconds=0)
    again = store.claim_lapsed(a_lease())
    assert again is not None
    a_finaliser().settle(store, [Result(claim=again, outcome=NotBegun())], until=0)
    assert connection.execute(
        "select attempts, claims, claim_token from dovecote.notification_routes"
    ).fetchone() == (1, 2, again.token)
    assert store.cancel(first.notification_id) == Cancellation(cancelled=0, in_flight=1, ended=0)
    assert claim_all(store) == []
    assert store.claim_lapsed(a_lease()) is not None


def test_what_was_claimed_before_the_store_failed_is_delivered(
    store: PostgresStore, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_routes(store, 50)
    claim, calls = store.claim, iter([True, False])

    def once(*arguments: Any) -> Any:
        if next(calls, True):
            return claim(*arguments)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(store, "claim", once)
    assert a_dispatch(store, ScriptedChannel(), batch_size=40)(forever)["published"] == 50


def test_a_run_begins_nothing_that_its_time_does_not_cover(store: PostgresStore) -> None:
    store_routes(store, 1)
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel)(lambda: 2.5)
    assert tally["claimed"] == 0
    assert channel.asked == []


def test_concurrent_claims_share_the_work_and_none_exceeds_its_limit(
    store: PostgresStore, database_url: str
) -> None:
    store_routes(store, 900)
    number = lanes.Lane(channel=Channel.EMAIL, priority=Priority.NORMAL, retry=False).number
    claims: list[list[UUID]] = []

    def work() -> None:
        with psycopg.connect(database_url, autocommit=True) as own:
            mine = PostgresStore(Database(lambda: own), default_max_attempts=5)
            for _ in range(10):
                got = mine.claim({number: 30}, Lease(token=uuid4(), seconds=60))
                claims.append([claim.route_id for claim in got])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [route_id for batch in claims for route_id in batch]
    assert max(map(len, claims)) <= 30
    assert len(taken) == len(set(taken)) == 900


def ended(connection: Connection) -> Any:
    return connection.execute(
        "select r.status, r.attempts, r.claims, d.reason from dovecote.notification_routes r"
        " join dovecote.notification_dead_letters d using (route_id)"
    ).fetchone()
