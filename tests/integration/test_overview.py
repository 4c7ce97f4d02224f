"""How all stands, as the console's first screen shows it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.channels.lanes import Lane
from dovecote.core.claim import Claim
from dovecote.core.feedback import Feedback, Verdict
from dovecote.core.notification import Priority
from dovecote.core.outcome import Failed, Outcome, Permanent
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


class Undone(Exception):
    """Rolls a transaction back."""


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


def minutes(overview: PostgresOverview) -> tuple[int, int, int]:
    """Return what was published, what failed and what ended in the last two minutes."""
    told = overview.overview(100).minutes
    assert len(told) == 60
    assert {one["at"].second for one in told} == {0}
    published, failed, dead = (
        sum(one[name] for one in told[-2:]) for name in ("published", "failed", "dead_lettered")
    )
    return published, failed, dead


def test_minutes_count_what_was_published_what_failed_and_what_ended(
    store: Store, connection: Connection, overview: PostgresOverview
) -> None:
    def answering(outcome: Callable[[], Outcome]) -> None:
        a_dispatch(store, ScriptedChannel(answer=lambda _: outcome()))(forever)

    store_routes(store, 3)
    a_dispatch(store, ScriptedChannel())(forever)
    assert minutes(overview) == (3, 0, 0)
    store_routes(store, 2)
    answering(lambda: Failed(error="e"))
    assert minutes(overview) == (3, 2, 0)
    store_routes(store, 1, max_attempts=1)
    answering(lambda: Permanent(error="e"))
    assert minutes(overview) == (3, 2, 1)
    live, dead = (
        connection.execute(
            "select route_id, claims from notification_routes where status = %s", (status,)
        ).fetchone()
        or ()
        for status in ("published", "dead_lettered")
    )
    connection.execute("delete from email_deliveries")
    for (route_id, claim), known in ((live, Verdict.NOT_SENT), (dead, Verdict.ACCEPTED)):
        feedback = Feedback(
            route_id=route_id, claim=claim, message_id=f"m-{known}", known=known, error="e"
        )
        assert store.record_feedback(feedback)
        assert not store.record_feedback(feedback)
    assert minutes(overview) == (4, 2, 2)
    connection.execute("update minutes set minute = minute - interval '61 minutes'")
    assert minutes(overview) == (0, 0, 0)


def test_concurrent_writers_count_without_waiting_and_a_rolled_back_one_does_not_count(
    store: Store, database_url: str, overview: PostgresOverview
) -> None:
    store_routes(store, 6)
    claims = claim_all(store)
    first, second, third = claims[:2], claims[2:4], claims[4:]

    def publish(store: Store, own: Sequence[Claim], *, commit: bool = True) -> None:
        with suppress(Undone), store.transaction() as transaction:
            assert transaction.publish(own[0].token, {claim.route_id: "m" for claim in own}) == 2
            assert not transaction.publish(own[0].token, {own[0].route_id: "m"})
            if not commit:
                raise Undone

    others = [Database(lambda: Opened.connect(database_url, autocommit=True)) for _ in range(2)]
    with store.transaction() as transaction:
        transaction.publish(first[0].token, {claim.route_id: "m" for claim in first})
        # A wait for the open transaction would exceed the lock timeout.
        publish(Store(others[0], default_max_attempts=5), second)
        publish(Store(others[1], default_max_attempts=5), third, commit=False)
        assert minutes(overview)[0] == 2
    assert minutes(overview)[0] == 4
    publish(store, third)
    assert minutes(overview)[0] == 6
    for other in others:
        other.close()


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


def test_minutes_of_old_routes_and_a_long_queue_are_not_read_in_full(
    connection: Connection, overview: PostgresOverview
) -> None:
    connection.execute("set statement_timeout = 0")
    lane = Lane(channel=CHANNEL, priority=Priority.NORMAL, retry=False).number
    done = {
        "channel": CHANNEL, "target": a_route().target, "lane": lane, "status": "published",
        "due_in": None,
    }  # fmt: skip
    crowd(connection, 50_000, done)
    # Old routes were redriven: some on every page are published now.
    connection.execute(
        "update notification_routes set published_at = clock_timestamp() where position % 10 = 0"
    )
    crowd(connection, 50_000, {**done, "status": "pending", "due_in": "-1 minute"})
    # A day of 20 connections.
    connection.execute(
        "insert into minutes"
        " select date_trunc('minute', now()) - i * interval '1 minute', w, 1, 0, 0"
        " from generate_series(1439, 0, -1) i, generate_series(1, 20) w"
    )
    assert pages(explained(connection, "operations/minutes")) < 100
    connection.execute("vacuum analyze notification_routes, notification_events, minutes")
    assert pages(explained(connection, "operations/minutes")) < 100
    assert minutes(overview)[0] == 40
    live = explained(connection, "operations/live", **LANES, most=500)
    read = [node for node in nodes(live) if node.get("Relation Name") == "notification_routes"]
    assert {node["Index Name"] for node in read} == {"notification_routes_due"}
    rows = sum(node["Actual Loops"] * node["Actual Rows"] for node in read)
    assert rows <= 12 * 500 + len(LANES["lanes"])
