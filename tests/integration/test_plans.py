"""The plans of submit and dispatch hold, whatever the statistics say."""

import json
import math
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from dovecote.channels import NAMES, lanes
from dovecote.core.ids import uuid7
from dovecote.core.outcome import Result
from dovecote.store.database import Database
from dovecote.store.operations.overview import LANES
from dovecote.store.people.places import BEGINNING
from dovecote.store.queries import rows
from dovecote.store.statements import statement
from dovecote.store.submit.inbox import PostgresInbox
from tests.builders import (
    CHANNEL,
    a_finaliser,
    a_lease,
    a_notification,
    a_route,
    accept,
    claim_all,
    enter_people,
    fresh,
    store_routes,
)
from tests.store import Store

Connection = psycopg.Connection[Any]
ROWS = 200_000

A_TALE = {"route_id": uuid.uuid4(), "message_id": "m", "error": "e", "expires_at": None}
AN_ADDRESS = {"person_hash": b"hash"}
SOME_NOTIFICATIONS = {"notification_ids": [uuid.uuid4() for _ in range(100)]}
SOME_ROUTES = {"route_ids": [uuid.uuid4() for _ in range(100)], "token": uuid.uuid4()}

A_REDRIVE = {
    **SOME_ROUTES, "redrive_id": uuid.uuid4(), "expires_at": None, "wait": 0.0, "spacing": 0.1,
}  # fmt: skip

SOME_EXPANDED = json.dumps([
    {"scheduled": str(route), "route_id": str(route), "target": "device", "person_hash": "hash"}
    for route in SOME_ROUTES["route_ids"]
])  # fmt: skip

BIG = {
    "notification_routes", "notifications", "notification_payloads", "push_devices",
    "notification_events",
    "notification_dead_letters", "email_deliveries", "email_rejections", "suppressions",
    "further_acceptances", "user_routes", "address_routes",
}  # fmt: skip


def of_some(name: str, said: object) -> dict[str, Any]:
    """Return the parameters of a statement that says the same of a hundred routes."""
    told = {str(uuid.uuid4()): said for _ in range(100)}
    return {"token": uuid.uuid4(), name: json.dumps(told)}


NUMBERS = [lane.number for lane in lanes.ALL]
A_CLAIM = {
    "token": uuid.uuid4(),
    "lease": 60.0,
    "default_max_attempts": 8,
    "lanes": NUMBERS,
    "limits": [9] * len(NUMBERS),
    "since": [0.0] * len(NUMBERS),
    "until": math.inf,
}
SINCE = {"lanes": NUMBERS, "since": [0.0] * len(NUMBERS), "until": math.inf}
LANES_FROM = {**LANES, "since": [0.0] * len(LANES["lanes"]), "until": math.inf}
STATEMENTS: dict[str, dict[str, Any]] = {
    "dispatch/claim": A_CLAIM,
    "dispatch/examine": {
        "lane": NUMBERS, "since": [0.0] * len(NUMBERS), "until": [math.inf] * len(NUMBERS),
        "most": [100] * len(NUMBERS), "hold": 300.0,
    },
    "dispatch/find_due_lanes": SINCE,
    "dispatch/claim_lapsed": {**A_CLAIM, **SOME_ROUTES, "hold": 300.0},
    "dispatch/claim_expired": {**A_CLAIM, "hold": 300.0, "limit": 100},
    "dispatch/publish": of_some("message_ids", "m-1"),
    "dispatch/publish_accepted": {
        **of_some("message_ids", "m-1"),
        "route_ids": [uuid.uuid4() for _ in range(100)],
        "accepted_ids": ["m-1"] * 100,
    },
    "dispatch/give_back": {
        **SOME_ROUTES, "lapsed": False, "hold": 300.0, "behind": None, "delay": 0.0,
    },
    "dispatch/give_back, lapsed and behind a resource": {
        **SOME_ROUTES, "lapsed": True, "hold": 300.0, "behind": "email/example.com", "delay": 0.5,
    },
    "dispatch/retry": of_some("retries", {"delay": 1.0, "error": "e"}),
    "dispatch/retry, in doubt and not counted": of_some(
        "retries", {"delay": 1.0, "error": "e", "hold": 300.0, "counted": False}
    ),
    "dispatch/dead_letter": of_some("ends", {"reason": "attempts", "error": "e"}),
    "dispatch/skip": of_some("reasons", "gone"),
    "dispatch/attempted_at": A_TALE,
    "feedback/lock_route": A_TALE,
    "feedback/recorded": A_TALE,
    "operations/lock_routes": SOME_ROUTES,
    "operations/recorded_routes": {**SOME_ROUTES, "expires_at": None, "wait": 10.0},
    "feedback/settle": A_TALE,
    "feedback/reject": {**A_TALE, "reason": "permanent"},
    "submit/routes": {"notification_id": uuid.uuid4()},
    "submit/lock_scheduled": {"lanes": [lane.number for lane in lanes.SCHEDULED], "most": 100},
    "operations/story": {"notification_id": uuid.uuid4()},
    "operations/find_by_user": {"user_id": "u-1", "after": None, "limit": 51},
    "operations/find_by_user, after a place": {
        "user_id": "u-1", "after": uuid.uuid4(), "limit": 51,
    },
    "operations/find_by_email": {"address_hash": b"hash", "after": None, "limit": 51},
    "operations/find_by_email, after a place": {
        "address_hash": b"hash", "after": uuid.uuid4(), "limit": 51,
    },
    "operations/deliveries": {"notification_id": uuid.uuid4()},
    "operations/gauges": LANES_FROM,
    "operations/paused": {**LANES, "most": 5_000},
    "dispatch/defer": {
        **of_some("deferrals", {"delay": 2.0, "error": "e"}),
        "lapsed": False, "hold": 300.0, "behind": "email/example.com",
    },
    "dispatch/backlog": {**LANES_FROM, "most": 5_000},
    "operations/live": {**LANES, "most": 5_000},
    "purge/purgeable": {
        "days": 90, "after": uuid.UUID(int=0), "most": 500, "most_routes": 2_000,
    },
    "purge/purge": SOME_NOTIFICATIONS,
    "purge/removable": {
        "days": 14, "after": uuid.UUID(int=0), "most": 500, "most_routes": 2_000,
        "payload_days": -1,
    },
    "people/lock_routes_of_user": {"user_id": "u-1", "most": 100, **BEGINNING},
    "people/lock_routes_of_address": {**AN_ADDRESS, "most": 100, **BEGINNING},
    "people/own_addresses": {"hashes": [b"hash"] * 100, "user_id": "u-1"},
}  # fmt: skip
"""The statements that touch routes, with their parameters; some twice, by other branches."""

BY_INDEXES = {"operations/live", "operations/paused"}
"""Those that use_indexes goes before."""


def named(case: str) -> str:
    return case.partition(",")[0]


def fill(connection: Connection, rows: int) -> None:
    """Store so many due routes, a hundred to a notification, in all lanes; one of them expired.

    Every twentieth is to u-1 and to ann@example.com, each of the others to somebody else.
    """
    connection.execute("set statement_timeout = 0")
    connection.execute("alter table dovecote.notification_routes set (autovacuum_enabled = off)")
    connection.execute(
        "with n as (insert into dovecote.notifications"
        "  (notification_id, kind, idempotency_key, fingerprint)"
        "  select gen_random_uuid(), 'k', i::text, 'f' from generate_series(1, %s) i"
        "  returning notification_id)"
        " insert into dovecote.notification_payloads select notification_id, -1, '{}' from n",
        (rows // 100,),
    )
    connection.execute(
        "insert into dovecote.notification_routes (route_id, notification_id, position, channel,"
        "  target, user_id, address, address_hash, priority, lane, status, max_attempts,"
        "  next_attempt_at, expires_at)"
        " select gen_random_uuid(), notification_id, i,"
        "  case when i % 2 = 0 then 'email' else 'push' end,"
        "  case when i % 2 = 0 then 'address' else 'topic' end,"
        "  case when i % 20 = 0 then 'u-1' else i || '-' || notification_id end,"
        "  case when i % 20 = 0 then 'ann@example.com'"
        "   when i % 2 = 0 then i || '-' || notification_id || '@example.com' end,"
        "  case when i % 20 = 0 then 'hash'::bytea"
        "   when i % 2 = 0 then uuid_send(gen_random_uuid()) end, i % 3,"
        "  i % 2 * 48 + i % 3 * 16 + idempotency_key::integer % 8 * 2 + (i % 5 = 0)::integer,"
        "  case when i % 5 = 0 then 'retrying' else 'pending' end, 8,"
        "  clock_timestamp() - i * interval '1 second', clock_timestamp()"
        "  + case when i = 100 then interval '-1 minute' else interval '1 day' end"
        " from dovecote.notifications, generate_series(1, 100) i"
    )
    enter_people(connection)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def scans_of(connection: Connection, name: str) -> list[str]:
    with connection.transaction():
        if name in BY_INDEXES:
            connection.execute(statement("operations/use_indexes"))
        explained = connection.execute(
            b"explain (format json) " + statement(named(name)), STATEMENTS[name]
        ).fetchone()
    assert explained is not None
    return [
        node["Node Type"]
        for node in nodes(explained[0][0]["Plan"])
        if node.get("Relation Name") in BIG and "Scan" in node["Node Type"]
    ]


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_scans_the_routes_of_an_empty_table(connection: Connection, name: str) -> None:
    assert "Seq Scan" not in scans_of(connection, name)


def test_no_statement_scans_the_routes_of_a_table_never_analysed(connection: Connection) -> None:
    fill(connection, 20_000)
    for name in STATEMENTS:
        assert "Seq Scan" not in scans_of(connection, name), name


def test_no_statement_scans_the_routes_of_a_large_table_and_no_claim_exceeds_its_limit(
    connection: Connection, store: Store
) -> None:
    fill(connection, ROWS)
    connection.execute(
        "analyze dovecote.notifications, dovecote.notification_routes, dovecote.user_routes,"
        " dovecote.address_routes"
    )
    for name in STATEMENTS:
        assert "Seq Scan" not in scans_of(connection, name), name
    for _ in range(5):
        claims = fresh(store, dict.fromkeys(NUMBERS, 9), a_lease())
        assert Counter(claim.lane for claim in claims) == dict.fromkeys(NUMBERS, 9)
        expired = store.claim_expired(NUMBERS, a_lease(), hold=0, limit=50)
        assert len(expired) == 50
        assert all(claim.expires_in <= 0 and not claim.counted for claim in expired)


def by_http(connection: Connection) -> None:
    store = Store(Database(lambda: connection), default_max_attempts=5)
    assert store.submit(a_notification([a_route()]), a_lease(), unless_devices_of=["u-1"])


def in_sql(connection: Connection) -> None:
    """As a producer's user, who has none of the settings that statements rely on."""
    connection.execute("set random_page_cost = 4")
    connection.execute(
        "select dovecote.submit('k', gen_random_uuid()::text, '{\"a\": 1}', %s)",
        (json.dumps([{"user_id": "u1", "email": "a@example.com"}, {"user_id": "u-1"}]),),
    )


def explain_within(connection: Connection) -> None:
    """Have what functions run explained too."""
    connection.execute("load 'auto_explain'")
    connection.execute(
        "set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;"
        " set auto_explain.log_format = json; set client_min_messages = log"
    )


def plans_within(connection: Connection, run: Callable[[Connection], object]) -> list[Any]:
    """Run something, with auto_explain on, and return the plans of what its functions run."""
    plans: list[dict[str, Any]] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        plans.append(json.loads((notice.message_primary or "").partition("plan:\n")[2]))

    connection.add_notice_handler(keep)
    run(connection)
    connection.remove_notice_handler(keep)
    return [plan["Plan"] for plan in plans]


def expanded(connection: Connection) -> None:
    store = Store(Database(lambda: connection), default_max_attempts=5)
    in_sql(connection)
    (pending,) = PostgresInbox(store.database).claim({}, again=False, most=1)
    notification = replace(
        a_notification([a_route()]), notification_id=pending.notification_id, from_inbox=True
    )
    assert store.submit(notification, a_lease(), unless_devices_of=["u-1"])


@pytest.mark.parametrize("submit", [by_http, in_sql, expanded])
def test_what_submit_runs_scans_no_table_whatever_was_planned_before(
    connection: Connection, submit: Callable[[Connection], None]
) -> None:
    fill(connection, 20_000)
    connection.execute(
        "insert into dovecote.push_devices (user_id, device_session_id, platform, token, endpoint)"
        " select 'u' || i, 'd', 'fcm', 't', i::text from generate_series(1, 10000) i"
    )
    explain_within(connection)
    # PostgreSQL plans anew for the first five, and then keeps a plan where it is no worse.
    for _ in range(10):
        found = plans_within(connection, submit)
        assert len(found) >= 3  # the notification, the routes or the inbox, and the call itself
        assert not scanned(found) & BIG


def test_a_claim_of_submissions_reads_a_few_of_each_kind(connection: Connection) -> None:
    connection.execute(
        "insert into dovecote.inbox (notification_id, kind, idempotency_key, digest, payload,"
        "  recipients)"
        " select gen_random_uuid(), 'k' || i % 5, i::text, '', '{}', '[1]'"
        " from generate_series(1, 20000) i"
    )
    connection.execute("vacuum analyze dovecote.inbox")
    asked = {
        "kinds": ["k3"], "priorities": [0], "again": False, "most": 50, "base_seconds": 60.0,
        "most_seconds": 3600.0,
    }  # fmt: skip
    with connection.transaction(force_rollback=True):
        explained = connection.execute(
            b"explain (analyze, buffers, format json) " + statement("inbox/claim"), asked
        ).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    assert plan["Actual Rows"] == 50
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1_000
    found = rows(connection, "inbox/claim", asked)
    assert {row["kind"] for row in found} == {"k3"}


def scanned(plans: list[Any]) -> set[str]:
    every = [node for plan in plans for node in nodes(plan)]
    return {node["Relation Name"] for node in every if node["Node Type"] == "Seq Scan"}


@pytest.mark.parametrize("count", [0, 20_000])
def test_entries_of_people_are_deleted_along_their_keys_whatever_is_known_of_the_tables(
    connection: Connection, count: int
) -> None:
    fill(connection, count)
    explain_within(connection)

    def unlist(connection: Connection) -> None:
        connection.execute(
            "select dovecote.unlist(array(select route_id from dovecote.notification_routes"
            " order by route_id limit 1000))"
        )

    for _ in range(10):
        found = plans_within(connection, unlist)
        deletes = [plan for plan in found if plan["Node Type"] == "ModifyTable"]
        assert [plan["Relation Name"] for plan in deletes] == ["user_routes", "address_routes"]
        assert not scanned(deletes)


@pytest.mark.parametrize("known", ["nothing", "all"])
@pytest.mark.parametrize("name", ["people/lock_routes_of_user", "people/lock_routes_of_address"])
def test_an_erasure_locks_no_more_routes_than_it_takes(
    connection: Connection, name: str, known: str
) -> None:
    fill(connection, 20_000)
    if known == "all":
        connection.execute("vacuum analyze")
    asked = {"user_id": "u-1", **AN_ADDRESS, "most": 100, **BEGINNING}
    with connection.transaction():
        found = rows(connection, name, asked)
        locked = connection.execute(
            "select count(*) from dovecote.notification_routes where xmax = %s",
            (connection.execute("select pg_current_xact_id()::text").fetchone() or ("",)),
        ).fetchone()
    ids = [(row["notification_id"], row["route_id"]) for row in found]
    assert ids == sorted(ids)
    assert (len(ids), locked) == (100, (100,))


DUE = {"channel": "push", "target": "topic", "lane": 64, "status": "pending", "due_in": "-1 hour"}
CROWDS: dict[str, dict[str, Any]] = {
    "due": {**DUE, "due_in": "-1 minute"},
    "due behind a pause": {**DUE, "channel": "email", "target": "address", "lane": 16},
    "scheduled": {**DUE, "due_in": "1 day"},
    "finished": {**DUE, "status": "published", "due_in": None},
}


def crowd(connection: Connection, count: int, values: dict[str, Any]) -> None:
    """Store so many routes that are alike, a hundred to a notification, and analyse."""
    connection.execute(
        "with n as ("
        "  insert into dovecote.notifications"
        "   (notification_id, kind, idempotency_key, fingerprint)"
        "  select uuidv7(), 'k', gen_random_uuid()::text, 'f'"
        "  from generate_series(1, %(count)s / 100) returning notification_id)"
        " insert into dovecote.notification_routes (route_id, notification_id, position, channel,"
        "  target, priority, lane, status, max_attempts, next_attempt_at, expires_at, published_at)"
        " select uuidv7(), notification_id, i, %(channel)s, %(target)s, 1, %(lane)s, %(status)s, 8,"
        "  clock_timestamp() + %(due_in)s::interval, clock_timestamp() + interval '2 days',"
        "  case when %(status)s = 'published' then clock_timestamp() end"
        " from n, generate_series(1, 100) i",
        {**values, "count": count},
    )
    connection.execute("analyze dovecote.notifications, dovecote.notification_routes")


def pages_of_a_claim(connection: Connection) -> int:
    """Return how many pages a claim of 100 of the routes that are due touches, and undo it."""
    claim = {**A_CLAIM, "lanes": [64], "limits": [100], "since": [-math.inf], "until": 0.0}
    with connection.transaction(force_rollback=True):
        explained = connection.execute(
            b"explain (analyze, buffers, format json) " + statement("dispatch/claim"), claim
        ).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    assert plan["Actual Rows"] == 100
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_many_other_routes_change_no_plan(connection: Connection) -> None:
    """Each crowd is added to the earlier ones; `make year` has millions of routes."""
    connection.execute("set statement_timeout = 0")
    crowd(connection, 1_000, DUE)
    alone = pages_of_a_claim(connection)
    for which, values in CROWDS.items():
        crowd(connection, ROWS // len(CROWDS), values)
        for name in STATEMENTS:
            assert "Seq Scan" not in scans_of(connection, name), (which, name)
        # The indexes are deeper by a level or two.
        assert pages_of_a_claim(connection) <= 2 * alone, which


def blocks_of_state(connection: Connection) -> int:
    """Return how many blocks a read of the channel's state touches, once its plan is made."""
    text, parameters = statement("channel_state/channel_state"), {"channel": CHANNEL}
    connection.execute(text, parameters)
    explained = connection.execute(
        b"explain (analyze, buffers, format json) " + text, parameters
    ).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def scans(connection: Connection, name: str, table: str) -> list[dict[str, Any]]:
    """Run a statement and return its scans of a table."""
    explained = connection.execute(
        b"explain (analyze, format json) " + statement(name), STATEMENTS[name]
    ).fetchone()
    assert explained is not None
    found = [*nodes(explained[0][0]["Plan"])]
    return [node for node in found if node.get("Relation Name") == table]


def test_gauges_read_one_route_of_each_lane_and_count_no_further_than_10_000_dead_letters(
    connection: Connection, store: Store
) -> None:
    fill(connection, 20_000)
    connection.execute(
        "insert into dovecote.notification_dead_letters"
        " (route_id, notification_id, reason, attempts, dead_lettered_at)"
        " select route_id, notification_id, 'expired', 0,"
        "  clock_timestamp() - row_number() over () * interval '0.25 s'"
        " from dovecote.notification_routes"
    )
    connection.execute("analyze dovecote.notification_routes, dovecote.notification_dead_letters")
    probe, *waiting, _ = scans(connection, "operations/gauges", "notification_routes")
    assert probe["Index Name"] == "notification_routes_due"
    # No scheduled route is stored: one of each lane that claims read.
    assert probe["Actual Loops"] == len(LANES["lanes"])
    assert probe["Actual Loops"] * probe["Actual Rows"] == pytest.approx(len(NUMBERS), rel=0.01)
    assert {one["Index Name"] for one in waiting} == {"notification_routes_waiting"}
    (counted,) = scans(connection, "operations/gauges", "notification_dead_letters")
    assert counted["Index Name"] == "notification_dead_letters_recent"
    assert counted["Actual Rows"] == 10_000
    assert store.gauges().dead_letters_hour == 10_000


@pytest.mark.parametrize("resource", [CHANNEL, f"{CHANNEL}/example.com"])
def test_what_waits_behind_a_pause_is_counted_along_its_index_and_no_further_than_10_000(
    connection: Connection, store: Store, resource: str
) -> None:
    fill(connection, 30_000)
    connection.execute(
        "update dovecote.notification_routes set waiting_for = %(resource)s,"
        "  waiting_since = clock_timestamp() - interval '1 day'"
        " where channel = %(channel)s and %(resource)s <> %(channel)s",
        {"resource": resource, "channel": CHANNEL},
    )
    store.pause(resource, "e", base=60, most=300, jitter=1)
    connection.execute("analyze dovecote.notification_routes, dovecote.channel_state")
    read = scans(connection, "operations/gauges", "notification_routes")
    count = sum(one["Actual Loops"] * one["Actual Rows"] for one in read)
    assert count <= 10_000 + len(NUMBERS) + 2
    assert store.gauges().waiting_routes == 10_000
    if resource != CHANNEL:
        assert 86_400 <= store.gauges().oldest_due_seconds < 86_500
        assert store.channel_state(CHANNEL).awaited_for is not None
        assert blocks_of_state(connection) <= 130


def test_a_route_that_never_waits_writes_nothing_to_the_index_of_waiting_routes(
    connection: Connection, store: Store
) -> None:
    def size() -> int:
        row = connection.execute(
            "select pg_relation_size('dovecote.notification_routes_waiting')"
        ).fetchone()
        assert row is not None
        return int(row[0])

    empty = size()
    store_routes(store, 100)
    results = [Result(claim=claim, outcome=accept(claim)) for claim in claim_all(store)]
    assert a_finaliser().settle(store, results, until=0) == {"published": 100}
    assert size() == empty


def test_a_backlog_is_counted_along_the_due_index_and_no_further_than_it_is_asked_for(
    connection: Connection, store: Store
) -> None:
    fill(connection, 20_000)
    connection.execute("analyze dovecote.notification_routes")
    (counted,) = scans(connection, "dispatch/backlog", "notification_routes")
    assert counted["Index Name"] == "notification_routes_due"
    # More are due of each channel; a channel is done with its last lane once 5,000 are counted.
    assert counted["Actual Loops"] * counted["Actual Rows"] == pytest.approx(
        5_000 * len(NAMES), rel=0.01
    )
    due = {one.channel: one.due for one in store.backlog(5_000)}
    assert [due[name] for name in NAMES] == [5_000] * len(NAMES)


BY_FUNCTIONS: dict[str, dict[str, Any]] = {
    "devices/skip_device": {"user_id": "u-1", "device_session_id": "d-1"},
    "operations/cancel": {"notification_id": uuid.uuid4()},
    "operations/redrive": A_REDRIVE,
    "people/erase": SOME_ROUTES,
    "people/release": {**AN_ADDRESS, "most": 1000, **BEGINNING},
    "submit/expand": {"expanded": SOME_EXPANDED},
}
"""The statements that change routes by a function of the owner."""


@pytest.mark.parametrize("count", [0, 20_000])
@pytest.mark.parametrize("name", BY_FUNCTIONS)
def test_a_function_of_the_owner_scans_no_table_whatever_was_planned_before(
    connection: Connection, name: str, count: int
) -> None:
    fill(connection, count)
    explain_within(connection)

    def run(connection: Connection) -> None:
        connection.execute(statement(name), BY_FUNCTIONS[name])

    for _ in range(10):
        found = plans_within(connection, run)
        assert len(found) >= 2  # the call, and what the function runs
        assert not scanned(found) & BIG


@pytest.mark.parametrize("live", ["hardly any", "all"])
def test_what_waits_for_a_device_is_found_by_the_device_however_much_is_live(
    connection: Connection, live: str
) -> None:
    fill(connection, 20_000)
    if live == "hardly any":
        connection.execute(
            "update dovecote.notification_routes set status = 'cancelled', next_attempt_at = null"
            " where position <> 20"
        )
    connection.execute("vacuum analyze dovecote.notification_routes, dovecote.user_routes")
    explain_within(connection)
    found = plans_within(
        connection,
        lambda own: own.execute(
            statement("devices/skip_device"), BY_FUNCTIONS["devices/skip_device"]
        ),
    )
    used = {node["Index Name"] for plan in found for node in nodes(plan) if "Index Name" in node}
    assert used == {"notification_routes_device", "notification_routes_pkey"}


def test_a_claim_changes_no_indexed_column_and_stays_on_its_page(connection: Connection) -> None:
    store = Store(Database(lambda: connection), default_max_attempts=5)
    store_routes(store, 200)
    assert len(claim_all(store)) == 200
    connection.execute("select pg_stat_force_next_flush()")
    updates = connection.execute(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
        " where relname = 'notification_routes'"
    ).fetchone()
    assert updates is not None
    assert updates[0] == 200
    assert updates[1] > 190


def test_a_published_route_finds_room_beside_its_entries(connection: Connection) -> None:
    store = Store(Database(lambda: connection), default_max_attempts=5)
    size = (
        "select pg_relation_size('dovecote.notification_routes_pkey')"
        " + pg_relation_size('dovecote.notification_routes_notification')"
    )
    for _ in range(1000):
        routes = [a_route(route_id=uuid7()), a_route(route_id=uuid7())]
        store.submit(replace(a_notification(routes), notification_id=uuid7()), a_lease())
    ((before,),) = connection.execute(size).fetchall()
    results = [Result(claim=claim, outcome=accept(claim)) for claim in claim_all(store, batch=2000)]
    assert a_finaliser().settle(store, results, until=0) == {"published": 2000}
    ((after,),) = connection.execute(size).fetchall()
    assert after < 1.1 * before


def test_every_statement_that_touches_routes_is_explained() -> None:
    folders = files("dovecote.store").joinpath("sql").iterdir()
    touching = {
        f"{folder.name}/{source.name.removesuffix('.sql')}"
        for folder in folders
        for source in folder.iterdir()
        if "dovecote.notification_routes" in source.read_text()
    }
    assert touching == set(map(named, STATEMENTS))
