"""Dead letters: found by filters, redriven by filter at a rate, and on record."""

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.channels.lanes import Lane
from dovecote.core.dead_letter import Filter
from dovecote.core.notification import Priority
from dovecote.core.route import Reason
from dovecote.core.transitions import Refusal
from dovecote.operations.dead_letters import BATCH, DeadLetters
from dovecote.store.database import Database
from dovecote.store.operations.dead_letters import PostgresDeadLetters
from dovecote.store.statements import statement
from tests.builders import CHANNEL, ScriptedChannel, a_dispatch, a_redrive, a_route, forever
from tests.functions import Answer, Functions
from tests.integration.test_http import assert_problem
from tests.integration.test_plans import nodes
from tests.store import Store

Connection = psycopg.Connection[Any]
WHO = "arn:aws:sts::123456789012:assumed-role/producer/orders"
"""Who signed the event that the tests call with."""


def make(
    connection: Connection,
    count: int,
    *,
    channel: str = CHANNEL,
    kind: str = "order.shipped",
    reason: str = "attempts",
    ago: str = "1 hour",
    expires_in: str = "1 day",
) -> list[uuid.UUID]:
    """Store so many dead letters, a second between them, and return their routes in that order."""
    found = connection.execute(
        "with n as (insert into dovecote.notifications"
        "  (notification_id, kind, idempotency_key, fingerprint)"
        "  values (uuidv7(), %(kind)s, gen_random_uuid()::text, 'f')"
        "  returning notification_id),"
        " p as (insert into dovecote.notification_payloads"
        "  select notification_id, -1, '{}' from n),"
        " r as (insert into dovecote.notification_routes (route_id, notification_id, position,"
        "  channel, target, priority, lane, status, max_attempts, attempts, claims, expires_at)"
        "  select uuidv7(), notification_id, i, %(channel)s, %(target)s, 1, %(lane)s,"
        "   'dead_lettered', 8, 1, 1,"
        "   now() + %(expires_in)s::interval"
        "  from n, generate_series(1, %(count)s) i returning route_id, notification_id, position)"
        " select route_id, notification_id, position from r order by position",
        {
            "kind": kind,
            "channel": channel,
            "target": a_route(channel).target,
            "lane": Lane(channel=channel, priority=Priority.NORMAL, retry=True).number,
            "expires_in": expires_in,
            "count": count,
        },
    ).fetchall()
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into dovecote.notification_dead_letters"
            " (route_id, notification_id, reason, error, attempts, dead_lettered_at)"
            " values (%s, %s, %s, 'no luck', 1,"
            "  now() - %s::interval + %s * interval '1 second')",
            [(route, notification, reason, ago, place) for route, notification, place in found],
        )
    return [route for route, *_ in found]


@pytest.fixture
def letters(database: Database) -> PostgresDeadLetters:
    return PostgresDeadLetters(database)


def find(functions: Functions, what: str = "dead-letters", **query: object) -> Answer:
    return functions.call("GET", f"/{what}?{urlencode(query)}")


def routes_of(answer: Answer) -> list[uuid.UUID]:
    assert answer.status == 200, answer.body
    return [uuid.UUID(one["route_id"]) for one in answer.body["dead_letters"]]


def redrive(functions: Functions, body: Any) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return functions.call("POST", "/dead-letters/redrive", raw)


def row(connection: Connection, query: str) -> tuple[Any, ...]:
    (found,) = connection.execute(query.encode()).fetchall()
    return tuple(found)


# Found.


def test_dead_letters_are_paged_newest_first(functions: Functions, connection: Connection) -> None:
    routes = make(connection, 5)[::-1]
    first = find(functions, limit=2)
    assert first.body["dead_letters"][0].keys() == {
        "route_id", "notification_id", "kind", "channel", "reason", "error", "attempts",
        "dead_lettered_at",
    }  # fmt: skip
    # What comes in between moves no page.
    newer = make(connection, 1, ago="1 minute")
    second = find(functions, limit=2, after=first.body["next"])
    third = find(functions, limit=2, after=second.body["next"])
    assert routes_of(first) + routes_of(second) + routes_of(third) == routes
    assert third.body["next"] is None
    assert routes_of(find(functions)) == newer + routes


def test_each_filter_finds_its_own(functions: Functions, connection: Connection) -> None:
    old = make(connection, 1, ago="3 days")
    refused = make(connection, 1, reason="permanent", ago="2 hours")
    other = make(connection, 1, kind="account.password_reset", reason="expired")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert routes_of(find(functions, reason="permanent")) == refused
    assert routes_of(find(functions, kind="account.password_reset")) == other
    assert routes_of(find(functions, reason="expired")) == other
    assert routes_of(find(functions, to=yesterday)) == old
    assert routes_of(find(functions, **{"from": yesterday})) == other + refused
    assert routes_of(find(functions, channel=CHANNEL, reason="attempts", to=yesterday)) == old
    assert routes_of(find(functions, kind="order.shipped", reason="expired")) == []


@pytest.mark.channels("email", "push")
def test_a_channel_filter_finds_its_own(functions: Functions, connection: Connection) -> None:
    old = make(connection, 1, channel="email", ago="3 days")
    push = make(connection, 1, channel="push", ago="2 hours")
    expired = make(connection, 1, channel="email", reason="expired")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert routes_of(find(functions, channel="push")) == push
    assert routes_of(find(functions, channel="email")) == expired + old
    assert routes_of(find(functions, **{"from": yesterday})) == expired + push
    assert routes_of(find(functions, channel="email", reason="attempts", to=yesterday)) == old
    assert routes_of(find(functions, channel="push", reason="expired")) == []


def test_what_was_redriven_or_settled_is_found_no_more(
    functions: Functions, connection: Connection
) -> None:
    gone, left = make(connection, 2)
    assert functions.call("POST", f"/dead-letters/{gone}/redrive").status == 202
    assert routes_of(find(functions)) == [left]


REFUSED_QUERIES = {
    "channel": ("fax", f"channel: must be one of: {', '.join(NAMES)}"),
    "reason": ("bad luck", "reason: must be one of: attempts, expired, permanent, ambiguous"),
    "from": ("yesterday", "from: must be a time with an offset"),
    "to": ("2026-11-24T00:00:00", "to: must be a time with an offset"),
    "kind": ("\0", "kind: must be 1 to 255 characters"),
    "limit": ("1000", "limit: must be an integer from 1 to 100"),
    "after": ("9" * 40, "after: must be `next` of an earlier page"),
    "status": ("open", "status: is not a parameter of this call"),
}


@pytest.mark.parametrize("name", REFUSED_QUERIES)
def test_a_filter_that_cannot_be_taken_is_a_422(functions: Functions, name: str) -> None:
    value, words = REFUSED_QUERIES[name]
    answer = find(functions, **{name: value})
    assert_problem(answer, 422)
    assert answer.body["errors"][0]["detail"].startswith(words)


@pytest.mark.parametrize("place", ["99999999999999999-1", "0-0", "-1", "1-", "x"])
def test_a_place_that_is_none_is_no_500(functions: Functions, place: str) -> None:
    assert find(functions, after=place).status in (200, 422)


FILTERS: Sequence[Mapping[str, str]] = [
    {},
    {"kind": "rare"},
    {"channel": "rare"},
    {"kind": "common", "channel": "rare"},
]


@pytest.mark.parametrize("analysed", [False, True])
def test_a_search_and_a_count_read_no_more_than_they_return_beside_many(
    connection: Connection, letters: PostgresDeadLetters, analysed: bool
) -> None:
    connection.execute("set statement_timeout = 0")
    connection.execute("set session_replication_role = replica")  # neither trigger nor keys
    connection.execute("alter table notification_dead_letters set (autovacuum_enabled = off)")
    connection.execute(
        "insert into dovecote.notification_dead_letters"
        " (route_id, notification_id, kind, channel, reason, attempts, dead_lettered_at)"
        " select gen_random_uuid(), gen_random_uuid(),"
        "  case when i % 10000 = 0 then 'rare' else 'common' end,"
        "  case when i % 10000 = 0 then 'rare' else 'usual' end,"
        "  case when i % 10000 = 0 then 'ambiguous' else 'attempts' end, 1,"
        "  now() - i * interval '1 second' from generate_series(1, 50000) i"
    )
    if analysed:
        connection.execute("analyze dovecote.notification_dead_letters")
    hour = datetime.now(UTC) - timedelta(hours=10)
    for filter_ in FILTERS:
        for reasons in (list(Reason), ["attempts"], ["expired"]):
            for further in ({}, {"until": hour}, {"place": 100_000, "place_at": hour}):
                asked = {**UNASKED, **filter_, **further, "reasons": reasons, "limit": 51}
                assert pages(connection, "dead_letters", asked) < 100, asked
                counted = {**asked, "most": 51}
                assert pages(connection, "count_dead_letters", counted) < 100, asked
    assert letters.count(Filter(kind="common", channel="rare"), 10_000) == 0
    assert letters.count(Filter(kind="common"), 10_000) == 10_000
    assert letters.count(Filter(channel="rare"), 10_000) == 5
    newest = letters.page(Filter(), None, 10_010)
    assert {letter.reason for letter in newest} == {"attempts", "ambiguous"}
    times = [letter.dead_lettered_at for letter in newest]
    assert times == sorted(times, reverse=True)


UNASKED = dict.fromkeys(("kind", "channel", "since", "until", "place", "place_at"))


def pages(connection: Connection, name: str, asked: Mapping[str, Any]) -> int:
    """Return how many pages a search touches along an index, whichever serves it."""
    explained = connection.execute(
        b"explain (analyze, buffers, format json) " + statement(f"operations/{name}"), asked
    ).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    (read,) = [node for node in nodes(plan) if "Relation Name" in node]
    assert read["Index Name"].startswith("notification_dead_letters_"), asked
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


# Redriven by filter.


def test_a_dry_run_counts_and_changes_nothing(functions: Functions, connection: Connection) -> None:
    for count, channel in enumerate(NAMES, 2):
        make(connection, count, channel=channel)
    make(connection, 3, reason="permanent")
    for count, channel in enumerate(NAMES[1:], 3):
        dry = {"filter": {"channel": channel}, "dry_run": True}
        assert redrive(functions, dry).body == {"matched": count}
    answer = redrive(functions, {"filter": {"channel": CHANNEL}, "dry_run": True})
    assert (answer.status, answer.body) == (200, {"matched": 5})
    only = {"filter": {"reason": "permanent"}, "dry_run": True}
    assert redrive(functions, only).body == {"matched": 3}
    every = 3 + sum(range(2, 2 + len(NAMES)))
    assert redrive(functions, {"filter": {}, "dry_run": True}).body == {"matched": every}
    assert row(connection, "select count(*) from dovecote.redrives") == (0,)
    assert len(routes_of(find(functions))) == every


def test_what_matches_is_redriven_and_the_rest_is_left(
    functions: Functions, connection: Connection
) -> None:
    meant = make(connection, BATCH + 5)
    other = make(connection, 1, reason="permanent")
    answer = redrive(functions, {"filter": {"kind": "order.shipped", "reason": "attempts"}})
    assert answer.status == 202
    redrive_id = answer.body.pop("redrive_id")
    assert answer.body == {"matched": len(meant), "redriven": len(meant), "refused": 0}
    assert routes_of(find(functions)) == other
    closed = connection.execute(
        "select route_id, attempts, error from dovecote.notification_dead_letters"
        " where redrive_id = %s and closed_as = 'redriven'",
        (redrive_id,),
    ).fetchall()
    assert {route for route, *_ in closed} == set(meant)
    assert {tuple(kept) for _, *kept in closed} == {(1, "no luck")}
    assert row(
        connection,
        "select count(*) from dovecote.notification_events where event = 'redriven'",
    ) == (len(meant),)


def test_they_are_due_one_after_the_other_at_the_rate(
    functions: Functions, connection: Connection
) -> None:
    make(connection, 2 * BATCH + 1)
    redrive(functions, {"filter": {}, "per_second": 20})
    gaps = connection.execute(
        "select extract(epoch from next_attempt_at"
        "  - lag(next_attempt_at) over (order by next_attempt_at))::float8"
        " from dovecote.notification_routes order by next_attempt_at offset 1"
    ).fetchall()
    # Within a batch it is exact; the next goes on from there, give or take the clock's readings.
    assert sorted(gap for (gap,) in gaps)[1:-1] == pytest.approx([0.05] * (2 * BATCH - 2), abs=0.04)
    assert sum(gap for (gap,) in gaps) == pytest.approx(2 * BATCH * 0.05, abs=0.2)


def test_a_limit_takes_the_newest_and_tells_how_many_there_were(
    functions: Functions, connection: Connection
) -> None:
    routes = make(connection, 5)
    answer = redrive(functions, {"filter": {}, "limit": 2})
    assert (answer.body["matched"], answer.body["redriven"]) == (5, 2)
    assert routes_of(find(functions)) == routes[:3][::-1]


def test_those_in_doubt_or_expired_are_refused_and_stop_no_other(
    functions: Functions, connection: Connection
) -> None:
    expired = make(connection, BATCH, expires_in="-1 second", ago="1 minute")
    (doubtful,) = make(connection, 1, reason="ambiguous")
    connection.execute(
        "update dovecote.notification_routes set doubt_until = now() + interval '1 hour'"
        " where route_id = %s",
        (doubtful,),
    )
    (free,) = make(connection, 1)
    answer = redrive(functions, {"filter": {}, "limit": 1})
    assert answer.body["matched"] == BATCH + 2
    assert (answer.body["redriven"], answer.body["refused"]) == (1, BATCH)
    assert free not in routes_of(find(functions))
    later = redrive(functions, {"filter": {}, "expires_at": "2999-01-01T00:00:00Z"})
    assert (later.body["redriven"], later.body["refused"]) == (BATCH, 1)
    assert set(routes_of(find(functions))) == {doubtful}
    assert row(
        connection,
        "select count(*) from dovecote.notification_routes where expires_at > '2998-01-01'",
    ) == (len(expired),)


def test_one_that_would_expire_before_its_turn_is_refused(
    functions: Functions, connection: Connection
) -> None:
    make(connection, 10, expires_in="1 minute")
    answer = redrive(functions, {"filter": {}, "per_second": 0.01})
    assert (answer.body["redriven"], answer.body["refused"]) == (0, 10)
    assert redrive(functions, {"filter": {}}).body["redriven"] == 10


def test_what_is_on_record_as_accepted_is_redriven_and_sent_to_nobody(
    functions: Functions, store: Store, connection: Connection
) -> None:
    (route_id,) = make(connection, 1, reason="ambiguous")
    with store.transaction() as transaction:  # by a worker that came too late
        transaction.record_acceptances({route_id: "m-late"})
    assert redrive(functions, {"filter": {}}).body["redriven"] == 1
    channel = ScriptedChannel()
    assert a_dispatch(store, channel)(forever)["published"] == 1
    assert channel.asked == []


def test_two_redrives_at_once_redrive_each_once(connection: Connection, database_url: str) -> None:
    make(connection, 3 * BATCH)
    done: list[int] = []

    def run() -> None:
        with psycopg.connect(database_url, autocommit=True) as own:
            database = Database(lambda: own)
            use = DeadLetters(
                letters=PostgresDeadLetters(database),
                read=Store(database, default_max_attempts=5).notification,
                limits=database,
                new_id=uuid.uuid4,
                clock=lambda: 0.0,
            )
            answer = use.redrive_all(b'{"filter": {}}', WHO)
            assert not isinstance(answer, int)
            done.append(answer.redriven)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 3 * BATCH
    assert row(
        connection,
        "select count(*), count(distinct route_id) from dovecote.notification_events",
    ) == (3 * BATCH, 3 * BATCH)
    assert row(connection, "select sum(redriven) from dovecote.redrives") == (3 * BATCH,)


def test_a_route_that_is_locked_ends_it_with_what_was_done(
    connection: Connection, database_url: str, functions: Functions
) -> None:
    routes = make(connection, 2 * BATCH)
    with psycopg.connect(database_url) as other:
        other.execute(
            "select from dovecote.notification_routes where route_id = %s for update", (routes[0],)
        )
        answer = redrive(functions, {"filter": {}})
        other.rollback()
    assert answer.status == 202
    assert (answer.body["matched"], answer.body["redriven"]) == (2 * BATCH, BATCH)
    assert find(functions, "redrives").body["redrives"][0]["redriven"] == BATCH
    assert redrive(functions, {"filter": {}}).body["redriven"] == BATCH


def test_when_the_time_is_over_no_batch_is_begun(
    connection: Connection, letters: PostgresDeadLetters, database: Database
) -> None:
    make(connection, 3 * BATCH)
    times = iter([0.0, 0.0, 0.0, 3.0])
    use = DeadLetters(
        letters=letters,
        read=Store(database, default_max_attempts=5).notification,
        limits=database,
        new_id=uuid.uuid4,
        clock=lambda: next(times),
    )
    answer = use.redrive_all(b'{"filter": {}}', WHO)
    assert not isinstance(answer, int)
    assert (answer.matched, answer.redriven) == (3 * BATCH, BATCH)


def test_what_is_asked_again_since_the_answer_to_its_commit_was_lost_is_told_as_done(
    connection: Connection, letters: PostgresDeadLetters
) -> None:
    routes = make(connection, 3)
    many = a_redrive(matched=3)
    done = [letters.redrive_all(many, routes, wait=0) for _ in range(2)]
    assert [(one.redriven, one.refused) for one in done] == [(3, 0)] * 2
    (single,) = make(connection, 1)
    one = a_redrive()
    assert letters.redrive(one, single) == letters.redrive(one, single) != Refusal.NO_DEAD_LETTER
    assert letters.redrive(a_redrive(), single) is Refusal.NO_DEAD_LETTER
    assert row(connection, "select sum(redriven) from dovecote.redrives") == (4,)


# On record.


def test_a_redrive_is_on_record_with_who_asked_for_what(
    connection: Connection, database_url: str, functions: Functions
) -> None:
    make(connection, 2)
    event = {"channel": CHANNEL, "from": "2026-01-01T00:00:00Z"}
    first = redrive(functions, {"filter": event, "per_second": 5, "limit": 10}).body
    (single,) = make(connection, 1)
    assert functions.call("POST", f"/dead-letters/{single}/redrive").status == 202
    newest, oldest = find(functions, "redrives").body["redrives"]
    assert oldest == {
        **first,
        "who": WHO,
        "at": oldest["at"],
        "filter": event,
        "per_second": 5,
        "limit": 10,
        "expires_at": None,
    }
    assert newest["filter"] == {"route_id": str(single)}
    assert (newest["matched"], newest["redriven"], newest["refused"]) == (1, 1, 0)
    page = find(functions, "redrives", limit=1)
    assert page.body["redrives"] == [newest]
    assert find(functions, "redrives", after=page.body["next"]).body == {
        "redrives": [oldest], "next": None,
    }  # fmt: skip
    closed = "select redrive_id::text from dovecote.notification_dead_letters where route_id = %s"
    assert connection.execute(closed, (single,)).fetchall() == [(newest["redrive_id"],)]


def test_a_single_one_that_is_refused_is_not_on_record(
    functions: Functions, connection: Connection
) -> None:
    (route,) = make(connection, 1, expires_in="-1 second")
    assert_problem(functions.call("POST", f"/dead-letters/{route}/redrive"), 422)
    assert find(functions, "redrives").body == {"redrives": [], "next": None}


REFUSED: dict[str, tuple[Any, int, str | None]] = {
    "nothing": (b"", 400, None),
    "not an object": (b"[]", 400, None),
    "no filter": ({}, 422, ""),
    "a filter that is null": ({"filter": None}, 422, "/filter"),
    "an unknown member": ({"filter": {}, "all": True}, 422, ""),
    "an unknown filter": ({"filter": {"user_id": "u-1"}}, 422, "/filter"),
    "an unknown channel": ({"filter": {"channel": "fax"}}, 422, "/filter/channel"),
    "an unknown reason": ({"filter": {"reason": "luck"}}, 422, "/filter/reason"),
    "a time without its zone": ({"filter": {"from": "2026-11-24T00:00:00"}}, 422, "/filter/from"),
    "a time out of range": ({"filter": {"to": "0001-01-01T00:00:00+14:00"}}, 422, "/filter/to"),
    "a limit of none": ({"filter": {}, "limit": 0}, 422, "/limit"),
    "too many": ({"filter": {}, "limit": 10_001}, 422, "/limit"),
    "no rate": ({"filter": {}, "per_second": 0}, 422, "/per_second"),
    "too fast": ({"filter": {}, "per_second": 1_001}, 422, "/per_second"),
    "too slow": (b'{"filter": {}, "per_second": 1e-300}', 422, "/per_second"),
    "no time": ({"filter": {}, "expires_at": "soon"}, 422, "/expires_at"),
    "a time long ago": ({"filter": {}, "expires_at": "1969-01-01T00:00:00Z"}, 422, "/expires_at"),
    "33 KiB": (b'{"filter": {"kind": "' + b"x" * 33_000 + b'"}}', 413, None),
}


@pytest.mark.parametrize(("body", "status", "where"), REFUSED.values(), ids=REFUSED)
def test_a_redrive_that_cannot_be_taken_changes_nothing(
    functions: Functions, connection: Connection, body: Any, status: int, where: str | None
) -> None:
    make(connection, 1)
    answer = redrive(functions, body)
    assert_problem(answer, status)
    if where is not None:
        assert [error["pointer"] for error in answer.body["errors"]] == [where]
    assert len(routes_of(find(functions))) == 1
    assert row(connection, "select count(*) from dovecote.redrives") == (0,)
