"""What has ended is deleted after its time, with all that is told of it, and nothing else is."""

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.feedback import Feedback, Verdict
from dovecote.core.notification import USUAL_DAYS
from dovecote.operations.purge import DELETED, FIRST, LEAST_SECONDS, RECORDS, Batch, Purge
from dovecote.store.database import Connection as OwnConnection
from dovecote.store.database import Database
from dovecote.store.operations.purge import PostgresPurge
from dovecote.store.queries import rows
from dovecote.store.statements import statement
from local.provider import Running
from tests.builders import RecordingLog, enter_people, forever, misfiled, redrive_one
from tests.functions import Functions, environment, run_functions
from tests.integration.test_roles import as_user, names, users
from tests.sending import channel_body
from tests.store import Store

Connection = psycopg.Connection[Any]
__all__ = ["names", "users"]

TABLES = (
    "notifications", "notification_payloads", "notification_routes", "notification_dead_letters",
    "notification_events", "email_deliveries", "email_rejections", "user_routes", "address_routes",
)  # fmt: skip
NOTHING = dict.fromkeys((*DELETED, *RECORDS), 0)
ALL = {"days": 90, "after": FIRST, "most": 500, "most_routes": 2_000}


@pytest.fixture
def retention(database_url: str) -> Iterator[PostgresPurge]:
    database = Database(
        lambda: OwnConnection.connect(database_url, autocommit=True, prepare_threshold=None)
    )
    yield PostgresPurge(database)
    database.close()


def a_purge(
    retention: PostgresPurge, days: int = 90, log: RecordingLog | None = None, payload_days: int = 0
) -> Purge:
    log = log or RecordingLog()
    return Purge(store=retention, days=days, payload_days=payload_days, log=log)


def purge(retention: PostgresPurge, days: int = 90) -> dict[str, int]:
    """Purge as once a day, from the oldest notification."""
    retention.database.ask(lambda own: own.execute("update purge_place set began_at = '-infinity'"))
    return a_purge(retention, days)(forever)


def counts(connection: Connection) -> dict[str, int]:
    found = {}
    for table in TABLES:
        row = connection.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608
        assert row is not None
        found[table] = int(row[0])
    return found


def an_old_one(
    connection: Connection,
    days: float = 100,
    status: str = "published",
    payload_days: int = USUAL_DAYS,
) -> uuid.UUID:
    """Store a notification of one route as it was so many days ago; return the route."""
    row = connection.execute(
        "with n as ("
        "  insert into notifications"
        "   (notification_id, kind, idempotency_key, fingerprint, created_at)"
        "  select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')"
        "    || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid,"
        "   'k', gen_random_uuid()::text, 'f', at"
        "  from (select now() - make_interval(secs => 86400 * %(days)s) as at) t returning *),"
        " p as (insert into notification_payloads"
        "  select notification_id, %(payload_days)s, '{}' from n)"
        " insert into notification_routes (route_id, notification_id, position, channel, target,"
        "  user_id, address, address_hash, priority, lane, status, max_attempts, next_attempt_at,"
        "  expires_at, published_at, created_at)"
        " select gen_random_uuid(), notification_id, 0, 'email', 'address',"
        "  'u-1', 'Ann@example.com', 'its hash', 1, 16, %(status)s, 8,"
        "  case when %(status)s = 'pending' then created_at end, created_at + interval '3 days',"
        "  case when %(status)s = 'published' then created_at end, created_at"
        " from n returning route_id",
        {"days": days, "status": status, "payload_days": payload_days},
    ).fetchone()
    assert row is not None
    enter_people(connection)
    return uuid.UUID(str(row[0]))


def an_old_dead_letter(connection: Connection) -> uuid.UUID:
    route_id = an_old_one(connection, status="dead_lettered")
    connection.execute(
        "insert into notification_dead_letters"
        " (route_id, notification_id, reason, attempts, dead_lettered_at)"
        " select route_id, notification_id, 'attempts', 8, created_at from notification_routes"
        " where route_id = %s",
        (route_id,),
    )
    return route_id


def test_what_is_over_goes_with_all_that_is_told_of_it(
    connection: Connection, retention: PostgresPurge
) -> None:
    route_id = an_old_dead_letter(connection)
    connection.execute(
        "insert into notification_events (route_id, claim, event, at) values"
        " (%(id)s, 1, 'failed', now() - interval '100 days');",
        {"id": route_id},
    )
    connection.execute("insert into email_deliveries values (%s, 'm-1')", (route_id,))
    connection.execute(
        "insert into email_rejections (message_id, route_id) values ('m-0', %s)", (route_id,)
    )
    connection.execute("insert into email_deliveries values (gen_random_uuid(), 'm-2')")
    assert purge(retention) == {**NOTHING, "notifications": 1, "routes": 1, "dead_letters": 1}
    assert counts(connection) == {**dict.fromkeys(TABLES, 0), "email_deliveries": 1}


@pytest.mark.parametrize("status", ["published", "skipped", "cancelled", "dead_lettered"])
def test_every_end_is_kept_for_its_days(
    connection: Connection, retention: PostgresPurge, status: str
) -> None:
    an_old_one(connection, 91, status)
    an_old_one(connection, 89, status)
    assert purge(retention)["notifications"] == 1
    assert misfiled(connection) == []
    assert purge(retention, 88)["notifications"] == 1


def test_0_days_keep_all_for_ever(connection: Connection, retention: PostgresPurge) -> None:
    an_old_one(connection, 10_000)
    assert purge(retention, 0)["notifications"] == 0
    assert purge(retention, 36_500)["notifications"] == 0
    assert counts(connection)["notifications"] == 1


@pytest.mark.parametrize(
    "touch",
    [
        "update notification_routes set status = 'pending', next_attempt_at = now(),"
        " published_at = null",
        "update notification_routes set last_attempt_at = now()",
        "update notification_routes set published_at = now()",
        "insert into notification_events (route_id, claim, event)"
        " select route_id, 1, 'settled' from notification_routes",
        # Another route of it is still to be sent.
        "insert into notification_routes (route_id, notification_id, position, channel, target,"
        " priority, lane, status, max_attempts, next_attempt_at, expires_at, created_at)"
        " select gen_random_uuid(), notification_id, 1, channel, target, priority, lane, 'pending',"
        " 8, now(), now(), created_at from notification_routes",
    ],
)
def test_what_is_alive_or_was_touched_of_late_stays_as_a_whole(
    connection: Connection, retention: PostgresPurge, touch: str
) -> None:
    an_old_one(connection)
    connection.execute(touch.encode())
    before = counts(connection)
    assert purge(retention)["routes"] == 0
    assert counts(connection) == before


def test_an_erasure_keeps_nothing_any_longer(
    connection: Connection, retention: PostgresPurge
) -> None:
    an_old_one(connection)
    connection.execute(
        "insert into notification_events (route_id, claim, event)"
        " select route_id, 1, 'erased' from notification_routes"
    )
    assert purge(retention)["routes"] == 1


def test_a_purge_continues_where_the_last_one_stopped_and_begins_anew_once_a_day(
    connection: Connection, retention: PostgresPurge
) -> None:
    again = a_purge(retention)
    kept = an_old_one(connection, days=110, status="pending")
    an_old_one(connection, days=100)
    assert purge(retention)["notifications"] == 1
    connection.execute(
        "update notification_routes set status = 'cancelled', next_attempt_at = null"
        " where route_id = %s",
        (kept,),
    )
    an_old_one(connection, days=95)
    assert again(forever)["notifications"] == 1, "the one after the place"
    connection.execute("update purge_place set began_at = now() - interval '23 hours'")
    assert again(forever)["notifications"] == 0
    connection.execute("update purge_place set began_at = now() - interval '25 hours'")
    assert again(forever)["notifications"] == 1
    assert counts(connection)["notifications"] == 0


def test_a_run_that_ended_early_is_continued_by_the_next(
    connection: Connection, retention: PostgresPurge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovecote.operations.purge.MOST", 2)
    for _ in range(5):
        an_old_one(connection)
    left = iter([60.0, 60.0, 0.0])
    again = a_purge(retention)
    assert again(lambda: next(left))["notifications"] == 2
    with connection.transaction():
        statement_of = statement("purge/purgeable")
        (place,) = connection.execute("select after_id from purge_place").fetchone() or ()
        found = connection.execute(statement_of, {**ALL, "after": place}).fetchall()
    assert len(found) == 3
    assert again(forever)["notifications"] == 3


A_REDRIVE = (
    "insert into redrives (redrive_id, who, filter, most, matched, redriven, refused)"
    " select (lpad(to_hex((extract(epoch from now() - %(ago)s::interval) * 1000)::bigint), 12, '0')"
    "  || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid, 'me', '{}', 1, 1, 1, 0"
    " returning redrive_id"
)


def test_redrives_that_no_dead_letter_names_are_deleted_after_their_days(
    connection: Connection, retention: PostgresPurge
) -> None:
    named, _, young = (
        connection.execute(A_REDRIVE, {"ago": ago}).fetchall()[0]
        for ago in ("95 days", "91 days", "89 days")
    )
    an_old_dead_letter(connection)
    connection.execute(
        "update notification_dead_letters set redrive_id = %s, closed_at = now(),"
        " closed_as = 'redriven'",
        named,
    )
    connection.execute("update notification_routes set last_attempt_at = now()")
    assert purge(retention)["redrives"] == 1
    left = connection.execute("select redrive_id from redrives order by 1").fetchall()
    assert left == [named, young]
    connection.execute("delete from notification_dead_letters")
    assert [purge(retention)["redrives"], purge(retention, 0)["redrives"]] == [1, 0]


def test_devices_that_died_long_ago_are_deleted_and_one_that_registers_again_stays(
    connection: Connection, database_url: str, retention: PostgresPurge
) -> None:
    connection.execute(
        "insert into push_devices"
        " (user_id, device_session_id, platform, token, endpoint, dead_at)"
        " select 'u-1', name, 'fcm', 't', name, now() - ago from (values"
        "  ('old', interval '91 days'), ('again', '91 days'), ('young', '89 days'), ('live', null)"
        " ) t (name, ago)"
    )
    with psycopg.connect(database_url) as other:
        other.execute("update push_devices set dead_at = null where endpoint = 'again'")
        assert purge(retention)["devices"] == 1
    assert purge(retention)["devices"] == 0
    left = connection.execute("select endpoint from push_devices order by 1").fetchall()
    assert left == [("again",), ("live",), ("young",)]


@pytest.mark.parametrize("days", [0, 90])
def test_minutes_are_deleted_after_a_day_however_long_notifications_are_kept(
    connection: Connection, retention: PostgresPurge, days: int
) -> None:
    connection.execute(
        "insert into minutes select now() - i * interval '1 hour', 1, 1, 0, 0"
        " from generate_series(1, 30) i"
    )
    assert retention.purge_records(days, 2)["minutes"] == 2
    assert purge(retention, days)["minutes"] == 30 - 23 - 2
    assert connection.execute("select count(*) from minutes").fetchall() == [(23,)]


def test_batches_are_small_and_what_stays_is_passed_by(
    connection: Connection, retention: PostgresPurge
) -> None:
    for number in range(7):
        an_old_one(connection, 200 - number, "pending" if number % 3 == 0 else "published")
    seen, after = [], uuid.UUID(int=0)
    while (
        batch := retention.purge(Batch(days=90, after=after, most=2, most_routes=2_000))
    ) is not None:
        assert batch.last > after  # the oldest first
        seen.append(batch.notifications)
        after = batch.last
    assert seen == [1, 1, 2, 0]
    assert counts(connection)["notifications"] == 3


def test_a_batch_ends_with_the_notification_that_reaches_its_routes(
    connection: Connection, retention: PostgresPurge
) -> None:
    for number in range(5):
        an_old_one(connection, 200 - number)
    batch = retention.purge(Batch(days=90, after=FIRST, most=500, most_routes=2))
    assert batch is not None
    assert (batch.notifications, batch.routes) == (2, 2)


def test_a_run_without_time_deletes_nothing_more_and_says_so(
    connection: Connection, retention: PostgresPurge
) -> None:
    log, times = RecordingLog(), iter([90.0, 90.0, LEAST_SECONDS])
    an_old_one(connection)
    tally = a_purge(retention, log=log)(lambda: next(times))
    assert tally["routes"] == 1
    assert log.lines == [("info", "purged", {**tally, "finished": False})]


# Who is at a route at the same time.


@pytest.mark.timed
def test_a_redrive_that_comes_first_keeps_the_notification_and_nobody_waits(
    connection: Connection, database_url: str, retention: PostgresPurge
) -> None:
    route_id = an_old_dead_letter(connection)
    parameters = {
        "route_id": route_id,
        "route_ids": [route_id],
        "redrive_id": None,
        "expires_at": "2999-01-01T00:00:00Z",
        "wait": 0.0,
        "spacing": 0.0,
    }
    with psycopg.connect(database_url) as other:
        rows(other, "feedback/lock_route", parameters)
        begun = time.monotonic()
        assert purge(retention)["routes"] == 0
        assert time.monotonic() - begun < 1
        rows(other, "operations/redrive", parameters)
    assert purge(retention)["routes"] == 0
    left = connection.execute("select status from notification_routes").fetchall()
    assert left == [("pending",)]


def test_a_redrive_that_commits_after_the_look_and_before_the_lock_keeps_the_notification(
    connection: Connection, database_url: str, store: Store
) -> None:
    route_id = an_old_dead_letter(connection)
    with psycopg.connect(database_url) as other:
        # A cursor looks at what there is when it is declared, and locks when it is fetched from.
        other.execute(b"declare look cursor for " + statement("purge/purgeable"), ALL)
        connection.execute("update notification_routes set expires_at = '2999-01-01'")
        assert isinstance(redrive_one(store, route_id), uuid.UUID)
        assert [over for _, over in other.execute("fetch all from look")] == [False]


def test_a_redrive_that_comes_second_finds_no_route(
    connection: Connection, database_url: str, store: Store
) -> None:
    route_id = an_old_dead_letter(connection)
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(redrive_one(store, route_id)))
    with psycopg.connect(database_url) as other:
        (found,) = rows(other, "purge/purgeable", ALL)
        assert found["over"]
        thread.start()
        waiting = "select from pg_stat_activity where wait_event_type = 'Lock'"
        while not connection.execute(waiting).rowcount:
            time.sleep(0.01)
        rows(other, "purge/purge", {"notification_ids": [found["notification_id"]]})
    thread.join()
    assert answers == [None]
    assert counts(connection) == dict.fromkeys(TABLES, 0)


def test_two_purges_at_once_delete_each_once(
    connection: Connection, database_url: str, retention: PostgresPurge
) -> None:
    an_old_one(connection)
    with psycopg.connect(database_url) as other:
        (found,) = rows(other, "purge/purgeable", ALL)
        assert purge(retention)["routes"] == 0
        (gone,) = rows(other, "purge/purge", {"notification_ids": [found["notification_id"]]})
    assert gone["routes"] == 1


@pytest.mark.parametrize("known", Verdict)
def test_an_event_of_what_is_being_purged_leaves_nothing_on_record(
    connection: Connection, database_url: str, store: Store, known: Verdict
) -> None:
    route_id = an_old_one(connection)
    feedback = Feedback(route_id=route_id, claim=1, message_id="m-1", known=known, error="e")
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(store.record_feedback(feedback)))
    with psycopg.connect(database_url) as other:
        (found,) = rows(other, "purge/purgeable", ALL)
        thread.start()
        waiting = "select from pg_stat_activity where wait_event_type = 'Lock'"
        while not connection.execute(waiting).rowcount:
            time.sleep(0.01)
        rows(other, "purge/purge", {"notification_ids": [found["notification_id"]]})
    thread.join()
    assert told == [False]
    assert counts(connection) == dict.fromkeys(TABLES, 0)


# The function.


def test_a_replay_after_the_purge_is_a_new_notification(
    connection: Connection, functions: Functions
) -> None:
    first = functions.post(channel_body())
    connection.execute(
        "alter table notification_routes drop constraint"
        " notification_routes_notification_id_fkey;"
        "update notifications set notification_id = '01900000-0000-7000-8000-000000000000';"
        "update notification_routes set notification_id = '01900000-0000-7000-8000-000000000000',"
        " created_at = '2024-07-01', published_at = '2024-07-01', last_attempt_at = '2024-07-01';"
        "delete from user_routes; delete from address_routes"
    )
    enter_people(connection)
    assert functions.purge()["notifications"] == 1
    assert misfiled(connection) == []
    again = functions.post(channel_body())
    assert again.status == 202
    assert "idempotent-replayed" not in again.headers
    assert again.body["notification_id"] != first.body["notification_id"]


def test_the_function_purges_as_its_own_user_and_logs_counts(
    connection: Connection,
    users: dict[str, str],
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    an_old_dead_letter(connection)
    an_old_one(connection, 50)
    url = as_user(connection, database_url, users["Purge"])
    with run_functions(
        environment(url, provider.url, catalog_folder, RETENTION_DAYS="60")
    ) as functions:
        deleted = {"notifications": 1, "routes": 1, "dead_letters": 1, "payloads": 2}
        assert functions.purge() == {**NOTHING, **deleted}
    printed = capsys.readouterr().out
    assert '"message":"purged"' in printed
    assert '"finished":true' in printed
