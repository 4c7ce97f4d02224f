"""Heart 8: claiming by the database's clock, by lanes, oldest first, with lease and token."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from dovecote.channels import NAMES, lanes
from dovecote.channels.base import Prepared, Reply
from dovecote.core.backoff import Backoff
from dovecote.core.claim import Claim, Lease
from dovecote.core.errors import StoreUnavailable
from dovecote.core.notification import Cancellation, Priority
from dovecote.core.outcome import Failed, NotBegun, Outcome, Result
from dovecote.core.route import Status
from dovecote.dispatch.sending.sender import Sender
from dovecote.store.database import Database
from dovecote.store.dispatch.claims import PostgresClaimed
from tests.builders import (
    CHANNEL,
    RecordingLog,
    ScriptedChannel,
    a_dispatch,
    a_finaliser,
    a_lease,
    a_notification,
    a_route,
    a_submission,
    accept,
    cancel,
    claim_all,
    claim_lapsed,
    forever,
    fresh,
    middle,
    store_routes,
    stored,
)
from tests.store import Store

Connection = psycopg.Connection[Any]


def test_a_claim_counts_the_attempt_and_takes_a_lease(store: Store, connection: Connection) -> None:
    store_routes(store, 1)
    lease = a_lease(60)
    (claim,) = fresh(store, dict.fromkeys([lane.number for lane in lanes.ALL], 5), lease)
    assert (claim.attempts, claim.claims, claim.counted, claim.token) == (1, 1, True, lease.token)
    row = connection.execute(
        "select attempts, claims, claim_token, status, last_attempt_at is not null,"
        " extract(epoch from leased_until - clock_timestamp())::float"
        " from dovecote.notification_routes"
    ).fetchone()
    assert row is not None
    assert row[:5] == (1, 1, lease.token, "pending", True)
    assert 58 < row[5] <= 60


TYPES = {UUID: "uuid", str: "text", int: "integer", bool: "boolean", float: "float8"}


@pytest.mark.parametrize("seed", range(5))
def test_a_claim_is_built_by_the_names_of_its_columns(
    store: Store, connection: Connection, seed: int
) -> None:
    store_routes(store, 1)
    (claim,) = claim_all(store)
    columns = [field for field in Claim.__struct_fields__ if field != "token"]
    random.Random(seed).shuffle(columns)
    values = {column: getattr(claim, column) for column in columns}
    selected = ", ".join(
        f"%({column})s::{TYPES.get(type(value), 'text')} as {column}"
        for column, value in values.items()
    )
    cursor = connection.cursor(binary=True).execute(f"select {selected}".encode(), values)
    claimed = PostgresClaimed(cursor, claim.token)
    assert list(claimed) == [claim]
    assert claimed.by_lane[claim.lane].until == claim.due


def test_a_claimed_route_is_nobody_elses(store: Store) -> None:
    store_routes(store, 3)
    assert len(claim_all(store)) == 3
    assert claim_all(store) == []
    assert claim_lapsed(store) is None


def test_what_is_not_due_is_not_claimed(store: Store) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    stored(store, a_notification(submission=a_submission(deliver_at=later)))
    assert claim_all(store) == []


def test_a_time_in_the_past_means_now(store: Store, connection: Connection) -> None:
    past = datetime.now(UTC) - timedelta(days=400)
    stored(store, a_notification(submission=a_submission(deliver_at=past)))
    assert len(claim_all(store)) == 1
    assert connection.execute(
        "select next_attempt_at = created_at from dovecote.notification_routes"
    ).fetchone() == (True,)


def test_the_oldest_of_a_lane_comes_first(store: Store, connection: Connection) -> None:
    store_routes(store, 20)
    connection.execute(
        "update dovecote.notification_routes"
        " set next_attempt_at = clock_timestamp() - position * interval '1 second'"
    )
    number = lanes.Lane(channel=CHANNEL, priority=Priority.NORMAL, retry=False).number
    picked = {claim.route_id for claim in fresh(store, {number: 5}, a_lease())}
    oldest = connection.execute(
        "select route_id from dovecote.notification_routes where position >= 15"
    ).fetchall()
    assert picked == {route_id for (route_id,) in oldest}


def test_a_claim_takes_no_more_of_a_lane_than_it_names(store: Store) -> None:
    for channel, priority in product(NAMES, Priority):
        store_routes(store, 30, channel, priority=priority)
    new = (lane.number for lane in lanes.ALL if not lane.retry and lane.bucket == 0)
    quotas = {number: most for most, number in enumerate(new, 3)}
    got = Counter(claim.lane for claim in fresh(store, quotas, a_lease()))
    assert got == quotas


def test_the_database_and_the_code_number_the_lanes_alike(
    store: Store, connection: Connection
) -> None:
    for channel, priority, bucket in product(NAMES, Priority, range(lanes.BUCKETS)):
        stored(store, a_notification([a_route(channel)], priority=priority, bucket=bucket))
    new = claim_all(store)
    at_once = a_finaliser(backoff=Backoff(base=0, factor=1, maximum=0, jitter=0))
    results = [Result(claim=claim, outcome=Failed(error="no luck")) for claim in new]
    assert at_once.settle(store, results, until=0) == {Status.RETRYING: len(new)}
    retries = claim_all(store)
    assert {claim.lane for claim in new} == {lane.number for lane in lanes.ALL if not lane.retry}
    assert {claim.lane for claim in retries} == {lane.number for lane in lanes.ALL if lane.retry}


@pytest.mark.parametrize("change", ["lane = lane + 1", "priority = 0", "status = 'retrying'"])
def test_the_database_takes_no_live_route_in_a_lane_that_is_not_its_own(
    store: Store, connection: Connection, change: str
) -> None:
    store_routes(store, 1)
    with pytest.raises(psycopg.errors.CheckViolation, match="notification_routes_lane"):
        connection.execute(f"update dovecote.notification_routes set {change}".encode())  # noqa: S608


def test_a_lane_is_read_from_where_the_last_claim_ended(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 10)
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = next_attempt_at"
        " - (10 - position) * interval '1 second'"
    )
    (lane,) = {claim.lane for claim in claim_all(store)}
    free(connection)
    first = fresh(store, {lane: 4}, a_lease())
    assert first.by_lane[lane].count == 4
    assert first.by_lane[lane].until == max(claim.due for claim in first)
    connection.execute(
        "update dovecote.notification_routes set claim_token = null, leased_until = null"
        " where position = 0"
    )
    since = {lane: first.by_lane[lane].until}
    assert len(fresh(store, {lane: 9}, a_lease(), since)) == 6
    assert len(fresh(store, {lane: 9}, a_lease())) == 1


def free(connection: Connection) -> None:
    connection.execute(
        "update dovecote.notification_routes set claim_token = null, leased_until = null"
    )


@pytest.mark.parametrize(("look_seconds", "published"), [(0, 301), (50, 300)])
def test_what_became_due_before_the_cursor_is_delivered_by_the_next_full_look(
    store: Store,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    look_seconds: float,
    published: int,
) -> None:
    monkeypatch.setattr("dovecote.dispatch.cursors.FULL_LOOK_SECONDS", look_seconds)
    store_routes(store, 300)

    def answer(claim: Claim) -> Outcome:
        """Store a route at the head of its lane, in the middle of the run."""
        if len(channel.asked) == 150:
            store_routes(store, 1)
            connection.execute(
                "update dovecote.notification_routes r set next_attempt_at = now() - interval '1 h'"
                " from dovecote.notifications n where n.notification_id = r.notification_id"
                " and n.created_at = (select max(created_at) from dovecote.notifications)"
            )
        return accept(claim)

    channel = ScriptedChannel(answer=answer)
    dispatch = a_dispatch(store, channel, batch_size=64)
    assert dispatch(forever)["published"] == published
    dispatch.cursors[CHANNEL].due.until = time.time()  # as if a minute had passed
    assert dispatch(forever)["published"] == 301 - published


def test_a_run_reads_on_where_the_last_run_of_its_environment_ended(
    store: Store, connection: Connection
) -> None:
    dispatch = a_dispatch(store, ScriptedChannel())
    for due, published in (("1 hour", 1), ("1 hour", 0), ("1 second", 1)):
        store_routes(store, 1)
        connection.execute(
            "update dovecote.notification_routes set next_attempt_at = now() - %s::interval"
            " where status = 'pending' and next_attempt_at > now() - interval '1 minute'",
            (due,),
        )
        assert dispatch(forever)["published"] == published
    assert a_dispatch(store, ScriptedChannel())(forever)["published"] == 1


def test_routes_that_a_run_gave_back_are_claimed_again_at_once(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 20)
    connection.execute(
        "update dovecote.notification_routes"
        " set next_attempt_at = now() - interval '1 hour' + position * interval '1 second'"
    )
    answers = iter([NotBegun()] * 3)
    channel = ScriptedChannel(answer=lambda claim: next(answers, None) or accept(claim))
    tally = a_dispatch(store, channel, batch_size=10)(forever)
    assert (tally["given_back"], tally["published"]) == (3, 20)


def test_a_batch_is_filled_when_only_one_lane_has_work(store: Store) -> None:
    store_routes(store, 250, priority=Priority.LOW)
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel, batch_size=100)(forever)
    assert tally["published"] == 250


def test_retries_do_not_starve_new_work_and_low_priorities_move(
    store: Store, connection: Connection
) -> None:
    for priority in Priority:
        store_routes(store, 200, priority=priority)
    connection.execute(
        "update dovecote.notification_routes set status = 'retrying', lane = lane + 1"
        " where position % 2 = 0"
    )
    of_channel = {lane.number: lane for lane in lanes.of(CHANNEL) if lane.bucket == 0}
    claims = fresh(store, lanes.shares(of_channel, 100, middle), a_lease())
    by_lane = Counter(claim.lane for claim in claims)
    assert set(by_lane) == set(of_channel)
    retries = sum(count for number, count in by_lane.items() if of_channel[number].retry)
    assert retries <= len(claims) / 2


def test_a_route_at_its_last_attempt_is_claimed_to_be_ended_without_a_send(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1, max_attempts=2)
    connection.execute("update dovecote.notification_routes set attempts = 2, claims = 2")
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel)(forever)
    assert tally == {
        "claimed": 1, "published": 0, "retrying": 0, "dead_lettered": 1, "skipped": 0,
        "given_back": 0, "interrupted": 0,
    }  # fmt: skip
    assert channel.asked == []
    assert ended(connection) == ("dead_lettered", 2, 3, "attempts")


def test_a_route_past_its_time_is_claimed_to_be_ended_without_a_send(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1, expires_in=0)
    channel = ScriptedChannel()
    a_dispatch(store, channel)(forever)
    assert channel.asked == []
    assert ended(connection) == ("dead_lettered", 0, 1, "expired")


def test_a_route_that_ends_without_a_send_keeps_its_last_error(
    store: Store, connection: Connection
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
    store: Store, connection: Connection
) -> None:
    store_routes(store, 5)
    lapsed = {claim.route_id for claim in claim_all(store, seconds=0)}
    store_routes(store, 5)
    batches: list[list[UUID]] = []

    class Batches(Sender):
        def send(self, claims: Sequence[Claim], **more: Any) -> Any:
            batches.append([claim.route_id for claim in claims])
            return super().send(claims, **more)

    a_dispatch(store, ScriptedChannel(), kind=Batches)(forever)
    assert [len(batch) for batch in batches] == [5, 1, 1, 1, 1, 1]
    assert {route_id for batch in batches[1:] for route_id in batch} == lapsed
    assert connection.execute(
        "select count(*) from dovecote.notification_routes where status = 'published'"
    ).fetchone() == (10,)


def test_a_lapsed_lease_leaves_its_attempt_counted(store: Store) -> None:
    store_routes(store, 1, max_attempts=3)
    claim_all(store, seconds=0)
    again = claim_lapsed(store)
    assert again is not None
    assert (again.attempts, again.claims) == (2, 2)


def test_a_lapsed_lease_is_claimed_only_when_its_hold_is_over(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1)
    claim_all(store, seconds=0)
    assert claim_lapsed(store, hold=60) is None
    connection.execute(
        "update dovecote.notification_routes set leased_until = leased_until - interval '1 minute'"
    )
    again = claim_lapsed(store, hold=60)
    assert again is not None
    assert (again.lapsed, again.in_doubt) == (True, True)
    assert connection.execute(
        "select doubt_until <= clock_timestamp(), doubt_until is not null"
        " from dovecote.notification_routes"
    ).fetchone() == (True, True)


@pytest.mark.channels("email", "push")
def test_a_lapsed_lease_is_claimed_along_its_own_channel_alone(store: Store) -> None:
    store_routes(store, 1, "push")
    claim_all(store, seconds=0)
    assert claim_lapsed(store, "email") is None
    assert claim_lapsed(store, "push") is not None


@pytest.mark.parametrize("channel", NAMES)
@pytest.mark.parametrize("expired", [False, True])
def test_a_lapsed_route_that_ends_without_a_send_is_ambiguous(
    store: Store, connection: Connection, channel: str, expired: bool
) -> None:
    store_routes(store, 1, channel, max_attempts=3 if expired else 1)
    claim_all(store, seconds=0)
    if expired:
        connection.execute("update dovecote.notification_routes set expires_at = created_at")
    scripted = ScriptedChannel()
    assert a_dispatch(store, scripted)(forever)["dead_lettered"] == 1
    assert scripted.asked == []
    assert ended(connection) == ("dead_lettered", 1, 2, "ambiguous")


def test_a_lapsed_route_that_fails_for_sure_is_in_doubt_no_more(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1, max_attempts=2)
    claim_all(store, seconds=0)
    a_dispatch(store, ScriptedChannel(answer=lambda _: Failed(error="no luck")))(forever)
    assert ended(connection) == ("dead_lettered", 2, 2, "attempts")


def test_under_a_backlog_lapsed_routes_move_in_the_last_part_of_a_run(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 3)
    lapsed = {claim.route_id for claim in claim_all(store, seconds=0)}
    store_routes(store, 100)
    channel = ScriptedChannel()
    asked: Counter[int] = Counter()

    def left() -> float:
        """Say 90 s to each channel's line, and from then on that the run is nearly over."""
        asked[threading.get_ident()] += 1
        return 90.0 if asked[threading.get_ident()] == 1 else 10.0

    a_dispatch(store, channel, batch_size=12)(left)
    assert set(channel.asked[:3]) == lapsed
    assert len(channel.asked) == 103


@pytest.mark.parametrize("batch_seconds", [1, 7, 10, 11, 13, 20, 30, 60])
def test_a_lapsed_route_moves_in_each_run_however_long_its_batches_take(
    store: Store, connection: Connection, batch_seconds: float
) -> None:
    store_routes(store, 1)
    claim_all(store, seconds=0)
    store_routes(store, 2000)
    now = 0.0

    class Slow(Sender):
        def send(self, claims: Sequence[Claim], *, begin_before: float, **more: Any) -> Any:
            nonlocal now
            outcomes = super().send(claims, begin_before=begin_before + 1e6, **more)
            now = min(now + batch_seconds * len(claims) / 12, begin_before + 12)
            return outcomes

    dispatch = a_dispatch(
        store,
        ScriptedChannel(),
        kind=Slow,
        batch_size=12,
        send_seconds=12,
        clock=lambda: now,
        lease_seconds=60,
    )
    dispatch(lambda: 90 - now)
    assert connection.execute(
        "select count(*) from dovecote.notification_routes where status = 'published'"
        " and claims = 2"
    ).fetchone() == (1,)


def test_a_lapsed_route_that_is_given_back_stays_in_doubt(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1)
    claim_all(store, seconds=0)
    again = claim_lapsed(store)
    assert again is not None
    a_finaliser().settle(store, [Result(claim=again, outcome=NotBegun())], until=0)
    assert connection.execute(
        "select attempts, claims, claim_token from dovecote.notification_routes"
    ).fetchone() == (1, 2, again.token)
    assert cancel(store, again) == Cancellation(cancelled=0, in_flight=1, ended=0)
    assert claim_all(store) == []
    assert claim_lapsed(store) is not None


class Halting(ScriptedChannel):
    """Accepts ten messages, and before the last one waits until `until` or for two seconds."""

    def __init__(self, until: Callable[[], bool]) -> None:
        super().__init__()
        self._until = until
        self.seen: list[bool] = []

    def send(self, messages: Sequence[Prepared]) -> Iterable[Reply]:
        if len(self.asked) == 9:
            ends = time.monotonic() + 2
            while not self._until() and time.monotonic() < ends:
                time.sleep(0.01)
            self.seen.append(self._until())
        return super().send(messages)


def published(connection: Connection) -> int:
    return connection.execute(
        "select count(*) from dovecote.notification_routes where status = 'published'"
    ).fetchone()[0]


def test_what_is_delivered_is_written_down_while_the_slowest_of_its_batch_is_waited_for(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 10)
    channel = Halting(lambda: published(connection) == 9)
    tally = a_dispatch(store, channel)(forever)
    assert channel.seen == [True]
    assert (tally["claimed"], tally["published"]) == (10, 10)


def test_what_could_not_be_written_down_early_is_written_down_at_the_end(
    store: Store, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_routes(store, 10)
    publish, gone = store.publish, iter([True])

    def once(*arguments: Any) -> int:
        if next(gone, False):
            raise StoreUnavailable("gone")
        return publish(*arguments)

    monkeypatch.setattr(store, "publish", once)
    channel = Halting(lambda: published(connection) > 0)
    tally = a_dispatch(store, channel)(forever)
    assert channel.seen == [False]
    assert (tally["published"], tally["interrupted"]) == (10, 0)


def test_what_was_claimed_before_the_store_failed_is_delivered(
    store: Store, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_routes(store, 1, priority=Priority.HIGH)
    store_routes(store, 49)
    claim, calls = store.claim, iter([True, False])
    first = {lane.number for lane in lanes.of(CHANNEL)}

    def once(channel: str, quotas: Any, lease: Lease, cursors: Any) -> Any:
        if not first & set(quotas) or next(calls, True):
            return claim(channel, quotas, lease, cursors)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(store, "claim", once)
    tally = a_dispatch(store, ScriptedChannel(), batch_size=40)(forever)
    assert (tally["published"], tally["interrupted"]) == (50, 0)


def test_a_store_out_of_reach_ends_the_line_of_each_channel_and_the_tally_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_routes(store, 1)

    def gone(*_: Any) -> Any:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(store, "find_due_lanes", gone)
    log = RecordingLog()
    tally = a_dispatch(store, ScriptedChannel(), log=log)(forever)
    assert (tally["claimed"], tally["interrupted"]) == (0, len(NAMES))
    assert sorted(line[2]["channel"] for line in log.lines) == sorted(NAMES)
    assert {line[:2] for line in log.lines} == {("error", "database out of reach")}


def test_a_run_begins_nothing_that_its_time_does_not_cover(store: Store) -> None:
    store_routes(store, 1)
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel)(lambda: 2.5)
    assert tally["claimed"] == 0
    assert channel.asked == []


def test_concurrent_claims_share_the_work_and_none_exceeds_its_limit(
    store: Store, database_url: str
) -> None:
    store_routes(store, 900)
    number = lanes.Lane(channel=CHANNEL, priority=Priority.NORMAL, retry=False).number
    claims: list[list[UUID]] = []

    def work() -> None:
        with psycopg.connect(database_url, autocommit=True) as own:
            mine = Store(Database(lambda: own), default_max_attempts=5)
            for _ in range(10):
                got = fresh(mine, {number: 30}, Lease(token=uuid4(), seconds=60))
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
