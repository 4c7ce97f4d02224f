"""How all stands, as the console's first screen shows it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.channels.lanes import Lane
from dovecote.core.claim import Claim
from dovecote.core.notification import Priority
from dovecote.core.outcome import Ambiguous, Failed, Outcome
from dovecote.store.database import Connection as Opened
from dovecote.store.database import Database
from dovecote.store.operations.overview import LANES, PostgresOverview
from dovecote.store.statements import statement
from tests.builders import (
    CHANNEL,
    ScriptedChannel,
    a_dispatch,
    a_route,
    claim_all,
    forever,
    store_routes,
)
from tests.functions import Functions
from tests.integration.test_plans import crowd, nodes
from tests.store import Store

Connection = psycopg.Connection[Any]
COUNTS = ("live", "due", "in_flight", "lapsed", "in_doubt")


@pytest.fixture
def overview(database_url: str) -> Iterator[PostgresOverview]:
    database = Database(lambda: Opened.connect(database_url, autocommit=True))
    yield PostgresOverview(database)
    database.close()


def counts(overview: PostgresOverview, most: int = 100) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return the counts of the channels and statuses that have live routes."""
    found = {
        (one["channel"], one["status"]): tuple(one[name] for name in COUNTS)
        for one in overview.overview(most).live
    }
    assert len(found) == 2 * len(NAMES)
    return {where: numbers for where, numbers in found.items() if numbers[0]}


def test_an_empty_stack_is_told_as_one(functions: Functions) -> None:
    answer = functions.call("GET", "/overview")
    assert answer.status == 200
    assert answer.body["counted_to"] == 10_000
    assert (answer.body["paused"], answer.body["dead_letters"]) == ([], [])
    assert {(one["channel"], one["status"]) for one in answer.body["live"]} == {
        (channel, status) for channel in NAMES for status in ("pending", "retrying")
    }
    assert not any(one[name] for one in answer.body["live"] for name in COUNTS)
    assert len(answer.body["minutes"]) == 60
    assert all(
        set(one) == {"at", "published", "failed", "dead_lettered"} for one in answer.body["minutes"]
    )


@pytest.mark.channels("email", "push")
def test_live_routes_are_told_by_channel_status_and_how_they_stand(
    store: Store, connection: Connection, overview: PostgresOverview
) -> None:
    store_routes(store, 3)
    claim_all(store, seconds=60)
    store_routes(store, 2)
    claim_all(store, seconds=-1)
    store_routes(store, 4)
    store_routes(store, 5, "push")
    connection.execute(
        "update notification_routes set next_attempt_at = clock_timestamp()"
        " + case when position = 0 then interval '-90 s' else interval '1 hour' end"
        " where channel = 'push'"
    )
    assert counts(overview) == {
        ("email", "pending"): (9, 9, 3, 2, 0),
        ("push", "pending"): (5, 1, 0, 0, 0),
    }
    oldest = {
        (one["channel"], one["status"]): one["oldest_due_seconds"]
        for one in overview.overview(100).live
    }
    assert 90 <= oldest["push", "pending"] < 120
    assert oldest["push", "retrying"] == 0
    assert counts(overview, most=4)["email", "pending"][:2] == (4, 4)


def test_minutes_tell_what_was_published_what_failed_and_what_ended(
    store: Store, connection: Connection, overview: PostgresOverview
) -> None:
    def answers(outcome: Outcome) -> Callable[[Claim], Outcome]:
        return lambda _: outcome

    store_routes(store, 3)
    a_dispatch(store, ScriptedChannel())(forever)
    store_routes(store, 2)
    a_dispatch(store, ScriptedChannel(answer=answers(Failed(error="e"))))(forever)
    store_routes(store, 1, max_attempts=1)
    a_dispatch(store, ScriptedChannel(answer=answers(Ambiguous(error="e"))))(forever)
    connection.execute(
        "update notification_routes set published_at = published_at - interval '61 minutes'"
        " where route_id = (select min(route_id::text)::uuid from notification_routes"
        "  where status = 'published')"
    )
    told = overview.overview(100)
    assert told.minutes is not None
    assert len(told.minutes) == 60
    assert {one["at"].second for one in told.minutes} == {0}
    assert sum(one["published"] for one in told.minutes) == 2
    assert sum(one["published"] for one in told.minutes[-2:]) == 2
    failed = sum(one["failed"] for one in told.minutes)
    dead = sum(one["dead_lettered"] for one in told.minutes)
    events = dict(
        connection.execute("select event, count(*) from notification_events group by 1").fetchall()
    )
    assert failed == events["failed"] + events.get("in_doubt", 0) >= 2
    assert dead == events.get("dead_lettered", 0)


def test_pauses_and_open_dead_letters_are_told_with_their_errors_and_reasons(
    store: Store, connection: Connection, overview: PostgresOverview
) -> None:
    store_routes(store, 3, max_attempts=1)
    a_dispatch(store, ScriptedChannel(answer=lambda _: Failed(error="no luck")))(forever)
    resource = f"{CHANNEL}/example.com"
    store.pause(resource, "throttled", base=60, most=300, jitter=1)
    told = overview.overview(100)
    (paused,) = told.paused
    assert (paused["resource"], paused["channel"], paused["error"]) == (
        resource, CHANNEL, "throttled",
    )  # fmt: skip
    assert [(one["reason"], one["open"]) for one in told.dead_letters] == [("attempts", 3)]
    connection.execute(
        "update notification_dead_letters set closed_at = clock_timestamp(), closed_as = 'redriven'"
        " where dead_letter_id = (select min(dead_letter_id) from notification_dead_letters)"
    )
    assert [one["open"] for one in overview.overview(100).dead_letters] == [2]


def explained(connection: Connection, name: str, **parameters: Any) -> dict[str, Any]:
    with connection.transaction():
        connection.execute(statement("operations/use_indexes"))
        row = connection.execute(
            b"explain (analyze, buffers, format json) " + statement(name), parameters
        ).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def pages(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_what_was_published_long_ago_and_what_is_due_are_not_read_in_full(
    connection: Connection, overview: PostgresOverview, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("set statement_timeout = 0")
    # An autovacuum in between would sum up pages by what is about to be moved to yesterday; it does
    # that of an index even where it leaves the table alone.
    connection.execute("alter table notification_routes set (autovacuum_enabled = off)")
    connection.execute("alter index notification_routes_published set (autosummarize = off)")
    lane = Lane(channel=CHANNEL, priority=Priority.NORMAL, retry=False).number
    done = {
        "channel": CHANNEL, "target": a_route().target, "lane": lane, "status": "published",
        "due_in": None,
    }  # fmt: skip
    due = {**done, "status": "pending", "due_in": "-1 minute"}
    crowd(connection, 200_000, done)
    connection.execute(
        "update notification_routes set published_at = published_at - interval '1 day'"
    )
    crowd(connection, 1_000, done)
    crowd(connection, 100_000, due)
    connection.execute(
        "insert into notification_events (route_id, claim, event, at)"
        " select gen_random_uuid(), 1, 'failed', clock_timestamp() - i * interval '1 second'"
        " from generate_series(200000, 1, -1) i"
    )
    connection.execute("vacuum analyze notification_routes, notification_events")
    whole = sum(
        n
        for (n,) in connection.execute(
            "select relpages from pg_class where relname in"
            " ('notification_routes', 'notification_events')"
        )
    )
    minutes = explained(connection, "operations/minutes")
    assert pages(minutes) < whole / 10
    assert {node.get("Index Name") for node in nodes(minutes)} >= {
        "notification_routes_published", "notification_events_minute",
    }  # fmt: skip
    # What cannot be counted in time is left out, and the rest is told.
    monkeypatch.setattr("dovecote.store.operations.overview.MINUTES_MS", 1)
    told = overview.overview(500)
    assert told.minutes is None
    assert sum(one["due"] for one in told.live) == 500
    live = explained(connection, "operations/live", **LANES, most=500)
    read = [node for node in nodes(live) if node.get("Relation Name") == "notification_routes"]
    assert [node["Index Name"] for node in read] == ["notification_routes_due"]
    assert read[0]["Actual Loops"] * read[0]["Actual Rows"] <= 12 * 500
