"""Dispatch reads a bounded number of blocks: after a burst, and under an old snapshot."""

import json
import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import mean
from typing import Any

import psycopg
import pytest

from dovecote.channels import lanes
from dovecote.dispatch.cursors import LaneCursors
from dovecote.dispatch.lapsed import EXAMINED, LapsedSearch
from dovecote.dispatch.ports import Examined, Window
from dovecote.store.database import Connection, Database
from dovecote.store.dispatch.claims import WINDOW
from dovecote.store.operations.overview import CHANNELS
from dovecote.store.statements import statement
from tests.builders import (
    CHANNEL,
    ScriptedChannel,
    a_dispatch,
    a_lease,
    claim_all,
    forever,
    fresh,
    store_routes,
)
from tests.store import Store

Opened = psycopg.Connection[Any]

NUMBERS = [lane.number for lane in lanes.of(CHANNEL)]
LANES, NORMAL = len(NUMBERS), NUMBERS[2 * lanes.BUCKETS]
HISTORY, BURST = 100_000, 20_000

CLAIM = {"token": uuid.uuid4(), "lease": 60.0, "default_max_attempts": 8, "hold": 0.0}
FROM = {"since": [-math.inf] * len(CHANNELS["lanes"]), "until": -math.inf}
READS: Mapping[str, Mapping[str, Any]] = {
    "dispatch/claim": {
        **CLAIM, "lanes": NUMBERS, "limits": [2] * LANES, "since": [-math.inf] * LANES,
        "until": -math.inf,
    },
    "dispatch/find_due_lanes": {
        "lanes": NUMBERS, "since": [-math.inf] * LANES, "until": -math.inf,
    },
    "dispatch/examine": {
        "lane": NUMBERS, "since": [-math.inf] * LANES, "until": [-math.inf] * LANES,
        "most": [EXAMINED * 6 // LANES] * LANES, "hold": 0.0,
    },
    "dispatch/claim_expired": {**CLAIM, "lanes": NUMBERS, "limit": 100},
    "dispatch/backlog": {**CHANNELS, **FROM, "most": 500},
    "operations/gauges": {**CHANNELS, **FROM},
    "operations/paused": {**CHANNELS, "most": 500},
    "operations/cancel": {"notification_id": uuid.uuid4()},
    "submit/lock_scheduled": {"lanes": [one.number for one in lanes.SCHEDULED], "most": 100},
    "channel_state/channel_state": {"channel": CHANNEL},
}  # fmt: skip
"""What dispatch reads, with the most that it asks for at a time; and what others may misread."""

MOST_BLOCKS = {
    "dispatch/claim": 1_500,
    "dispatch/find_due_lanes": 200,
    "dispatch/examine": 300,
    "dispatch/claim_expired": 1_600,
    "dispatch/backlog": 300,
    "operations/gauges": 400,
    "operations/paused": 30,
    "submit/lock_scheduled": 200,
    "operations/cancel": 15,  # its function has two statements
    "channel_state/channel_state": 30,
}
"""What each may touch: some blocks for each route that it takes, and the depth of its indexes."""


def blocks(connection: Opened, name: str, parameters: Mapping[str, Any]) -> int:
    """Return how many blocks a statement touches, and undo it."""
    if name == "channel_state/channel_state":
        connection.execute(statement(name), parameters)  # the function's plan is made once
    with connection.transaction(force_rollback=True):
        explained = connection.execute(
            b"explain (analyze, buffers, format json) " + statement(name), parameters
        ).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def store_many(connection: Opened, count: int, *, finished: bool) -> None:
    """Store so many routes in all lanes of a channel, finished or due; 200 of the due expired."""
    connection.execute(
        "with n as ("
        "  insert into dovecote.notifications"
        "   (notification_id, kind, idempotency_key, fingerprint)"
        "  select uuidv7(), 'k', gen_random_uuid()::text, 'f'"
        "  from generate_series(1, %(count)s / 100) returning notification_id),"
        " p as (insert into dovecote.notification_payloads"
        "  select notification_id, -1, '{}' from n)"
        " insert into dovecote.notification_routes (route_id, notification_id, position, channel,"
        "  target, priority, lane, status, max_attempts, next_attempt_at, expires_at, published_at)"
        " select uuidv7(), notification_id, i, %(channel)s, %(target)s, i %% 48 / 16,"
        "  %(first)s + i %% 48, case when %(finished)s then 'published'"
        "   when i %% 2 = 0 then 'pending' else 'retrying' end, 8,"
        "  case when not %(finished)s then clock_timestamp() - interval '1 minute' end,"
        "  clock_timestamp() + case when not %(finished)s and i = 1 then interval '-1 second'"
        "   else interval '1 day' end, case when %(finished)s then clock_timestamp() end"
        " from n, generate_series(1, 100) i",
        {
            "count": count,
            "channel": CHANNEL,
            "target": "address" if CHANNEL == "email" else "topic",
            "first": NUMBERS[0],
            "finished": finished,
        },
    )


@pytest.fixture
def idle(connection: Opened) -> Opened:
    """A connection to a database with a long history, analysed while nothing was due."""
    connection.execute("set statement_timeout = 0")
    connection.execute("alter table dovecote.notification_routes set (autovacuum_enabled = off)")
    store_many(connection, HISTORY, finished=True)
    connection.execute("vacuum analyze")
    return connection


def test_a_burst_after_an_idle_period_is_read_in_few_blocks(idle: Opened) -> None:
    store_many(idle, BURST, finished=False)
    before = {name: blocks(idle, name, given) for name, given in READS.items()}
    assert [name for name in READS if before[name] > MOST_BLOCKS[name]] == [], before
    idle.execute("analyze")
    after = {name: blocks(idle, name, given) for name, given in READS.items()}
    assert [name for name in READS if before[name] > 1.2 * after[name] + 20] == [], after


NEW: Mapping[str, Callable[[Store, Opened], object]] = {
    "never analysed": lambda _store, _connection: None,
    "analysed empty": lambda _store, connection: connection.execute("analyze"),
    "analysed with one due route": lambda store, connection: (
        store_routes(store, 1),
        connection.execute("analyze"),
    ),
    "analysed with finished routes": lambda store, connection: (
        finish(store, 5),
        connection.execute("analyze"),
    ),
    "vacuumed with finished routes": lambda store, connection: (
        finish(store, 50),
        connection.execute("vacuum analyze"),
    ),
    "analysed with finished and claimed routes": lambda store, connection: (
        finish(store, 50),
        store_routes(store, 20),
        claim_all(store),
        connection.execute("analyze"),
    ),
}
"""What PostgreSQL knows of a new installation, by what happened before its first burst."""


def finish(store: Store, count: int) -> None:
    store_routes(store, count)
    publish_all(store)


def publish_all(store: Store) -> None:
    claims = claim_all(store)
    with store.transaction() as transaction:
        transaction.publish(claims[0].token, {claim.route_id: "m" for claim in claims})


@pytest.mark.parametrize("known", NEW)
def test_the_first_burst_of_a_new_installation_is_read_in_few_blocks(
    connection: Opened, store: Store, known: str
) -> None:
    connection.execute("alter table dovecote.notification_routes set (autovacuum_enabled = off)")
    NEW[known](store, connection)
    store.pause(f"{CHANNEL}/example.com", "e", base=60, most=300, jitter=1)
    for _ in range(10):
        store_routes(store, 500)
    found = {name: blocks(connection, name, given) for name, given in READS.items()}
    assert [name for name in READS if found[name] > MOST_BLOCKS[name]] == [], found


@contextmanager
def old_snapshot(url: str) -> Iterator[None]:
    """Hold a snapshot, under which PostgreSQL removes no finished route's index entry."""
    with psycopg.connect(url) as holder:
        holder.execute("set idle_in_transaction_session_timeout = 0")
        holder.commit()
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select count(*) from dovecote.notification_routes")
        yield
        holder.rollback()


@contextmanager
def explained(url: str) -> Iterator[tuple[Store, list[tuple[str, int]]]]:
    """Yield a store, and the blocks of each statement that it runs, by the statement's text."""
    found: list[tuple[str, int]] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        plan = json.loads((notice.message_primary or "").partition("plan:\n")[2])
        count = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
        found.append((plan["Query Text"], count))

    with Connection.connect(url, autocommit=True, prepare_threshold=None) as own:
        own.execute(
            "load 'auto_explain'; set auto_explain.log_min_duration = 0;"
            " set auto_explain.log_analyze = on; set auto_explain.log_buffers = on;"
            " set auto_explain.log_format = json; set client_min_messages = log"
        )
        own.add_notice_handler(keep)
        yield Store(Database(lambda: own), default_max_attempts=5), found


KINDS = {
    "claim": "with claimed as",
    "find_due_lanes": "-- Find the lanes",
    "examine": "-- Look for routes",
    "gauges": "-- Read the numb",
}


def test_an_old_snapshot_changes_no_claim_of_a_dispatcher_that_keeps_up(
    database_url: str, connection: Opened, store: Store
) -> None:
    connection.execute("alter table dovecote.notification_routes set (autovacuum_enabled = off)")
    live = LaneCursors()
    with explained(database_url) as (own, found), old_snapshot(database_url):
        dispatch = a_dispatch(own, ScriptedChannel(), batch_size=100)
        # Routes come here a hundred times as fast as the 50 a second of a small installation.
        dispatch.cursors[CHANNEL].due.late = 0.05
        spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(150):
            store_routes(store, 100)
            found.clear()
            assert dispatch(forever)["published"] == 100
            own.gauges(live)
            for kind, start in KINDS.items():
                counts = [count for text, count in found if text.startswith(start)]
                spent[kind].append(mean(counts))
    for kind, counts in spent.items():
        assert mean(counts[-10:]) < 3 * mean(counts[:10]), (kind, counts)


@pytest.mark.parametrize("step", ["1 millisecond", "0"])
def test_each_lapsed_lease_is_found_by_looks_that_read_few_blocks(
    idle: Opened, store: Store, step: str
) -> None:
    """The routes are due one after the other, or all at the same time."""
    store_many(idle, BURST, finished=False)
    idle.execute(
        "update dovecote.notification_routes r set lane = %s, priority = 1, status = 'pending',"
        "  next_attempt_at = now() - interval '1 hour' + n.place / 10000 * interval '1 minute'"
        "   + n.place * %s::interval,"
        "  claim_token = case when n.place %% 1500 = 7 then gen_random_uuid() end,"
        "  leased_until = case when n.place %% 1500 = 7 then now() end"
        " from (select route_id, row_number() over (order by random()) as place"
        "  from dovecote.notification_routes where status <> 'published') n"
        " where n.route_id = r.route_id",
        (NORMAL, step),
    )
    search, wanted, found = LapsedSearch(), 14, set[uuid.UUID]()
    windows: list[Window] = []

    def examine(asked: Sequence[Window]) -> Sequence[Examined]:
        windows[:] = asked
        return store.examine(asked, hold=0)

    for _ in range(3 + BURST // 49):
        search.look(NUMBERS, examine)
        found |= set(search.found)
        columns = {name: [getattr(window, name) for window in windows] for name in WINDOW}
        most = sum(window.most for window in windows if window.lane == NORMAL)
        assert blocks(idle, "dispatch/examine", {**columns, "hold": 0.0}) <= 1.5 * most + 4 * LANES
    assert len(found) == wanted
    while found:
        (claim,) = store.claim_lapsed(sorted(found), a_lease(), hold=0)
        found.remove(claim.route_id)


def test_gauges_show_an_old_route_that_is_claimed_over_and_over(
    connection: Opened, store: Store
) -> None:
    store_routes(store, 2)
    connection.execute(
        "update dovecote.notification_routes"
        " set next_attempt_at = now() - (1 + position) * interval '1 hour'"
    )
    live = LaneCursors()
    for _ in range(3):
        assert 7_200 <= store.gauges(live).oldest_due_seconds < 7_300
        claim_all(store, seconds=0)
    connection.execute(
        "update dovecote.notification_routes set status = 'cancelled', next_attempt_at = null,"
        "  claim_token = null, leased_until = null where position = 1"
    )
    assert 3_600 <= store.gauges(live).oldest_due_seconds < 3_700


@pytest.mark.parametrize("behind", [False, True])
def test_gauges_and_backlog_count_what_is_due_before_their_cursors_after_a_minute(
    connection: Opened, store: Store, behind: bool
) -> None:
    live = LaneCursors()
    store.gauges(live)
    store_routes(store, 1)
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = now() - interval '1 hour'"
        " where %s",
        (behind,),
    )
    due = {one.channel: one.due for one in store.backlog(10, live)}[CHANNEL]
    assert due == (0 if behind else 1)
    live.until -= 61
    assert {one.channel: one.due for one in store.backlog(10, live)}[CHANNEL] == 1
    assert (store.gauges(live).oldest_due_seconds >= 3_600) == behind


def test_a_claim_from_a_cursor_reads_all_once_the_cursor_is_too_old(
    connection: Opened, store: Store
) -> None:
    store_routes(store, 1)
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = now() - interval '1 hour'"
    )
    claim = partial(store.claim, CHANNEL, dict.fromkeys(NUMBERS, 9), a_lease())
    row = connection.execute("select date_part('epoch', clock_timestamp())").fetchone()
    assert row is not None
    since = dict.fromkeys(NUMBERS, row[0] - 60)
    assert len(claim(LaneCursors(since=since, until=row[0] + 60))[0]) == 0
    assert len(claim(LaneCursors(since=since, until=row[0]))[0]) == 1
    assert len(fresh(store, {}, a_lease())) == 0
