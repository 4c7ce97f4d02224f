"""Payloads are removed before their notifications, and what needs them is refused after that."""

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from msgspec.structs import replace
from psycopg import errors

from dovecote.core.claim import Claim
from dovecote.core.ids import uuid7
from dovecote.core.notification import SECRET, USUAL_DAYS
from dovecote.core.outcome import Delivered, Failed, Permanent, Result
from dovecote.operations.purge import Purge
from dovecote.store.database import Database
from dovecote.store.operations.purge import PostgresPurge
from local.provider import Running
from tests.builders import (
    RecordingLog,
    ScriptedChannel,
    a_dispatch,
    a_finaliser,
    a_lease,
    a_notification,
    a_route,
    a_submission,
    claim_all,
    forever,
)
from tests.catalogs import shipped
from tests.functions import Functions, environment, run_functions
from tests.integration.test_dead_letters import make
from tests.integration.test_http import assert_problem
from tests.integration.test_purge import an_old_one
from tests.sending import channel_body, kind_of
from tests.store import Store

Connection = psycopg.Connection[Any]


def payloads(connection: Connection) -> int:
    row = connection.execute("select count(*) from dovecote.notification_payloads").fetchone()
    assert row is not None
    return int(row[0])


def purge(database: Database, payload_days: int = 14) -> Mapping[str, int]:
    store = PostgresPurge(database)
    return Purge(store=store, days=90, payload_days=payload_days, log=RecordingLog())(forever)


def secrets(store: Store, count: int, routes: int = 1) -> list[Claim]:
    """Store so many secret notifications, and claim their routes."""
    for number in range(count):
        one = a_notification(
            [a_route() for _ in range(routes)], submission=a_submission(key=f"{number}")
        )
        assert store.submit(replace(one, payload_days=SECRET), a_lease())
    return claim_all(store)


# (age, status, payload_days, PAYLOAD_RETENTION_DAYS, whether it is removed)
KEPT = [
    (20, "published", USUAL_DAYS, 14, True),
    (20, "dead_lettered", USUAL_DAYS, 14, True),
    (20, "pending", USUAL_DAYS, 14, False),
    (10, "published", USUAL_DAYS, 14, False),
    (10, "published", 5, 14, True),
    (20, "published", 60, 14, False),
    (20, "published", USUAL_DAYS, 0, False),
    (20, "published", 5, 0, True),
    (0.01, "published", SECRET, 0, True),
    (0.01, "pending", SECRET, 0, False),
]


@pytest.mark.parametrize(("age", "status", "payload_days", "setting", "removed"), KEPT)
def test_a_payload_is_kept_for_the_days_of_its_kind_after_all_routes_ended(
    connection: Connection,
    database: Database,
    age: float,
    status: str,
    payload_days: int,
    setting: int,
    removed: bool,
) -> None:
    connection.execute("set search_path = dovecote")
    an_old_one(connection, age, status, payload_days)
    connection.execute("update notification_routes set data = '{\"a\": 1}'")
    assert purge(database, setting)["payloads"] == int(removed)
    assert payloads(connection) == int(not removed)
    (data,) = connection.execute("select data is null from notification_routes").fetchall()
    assert data == (removed,)


def test_a_run_that_ended_early_continues_with_the_next_payload(
    connection: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovecote.operations.purge.MOST", 2)
    connection.execute("set search_path = dovecote")
    for number in range(5):
        an_old_one(connection, 50 - number)
    left = iter([60.0, 60.0, 0.0, 0.0])
    store = PostgresPurge(database)
    run = Purge(store=store, days=90, payload_days=14, log=RecordingLog())
    assert run(lambda: next(left))["payloads"] == 2
    place = store.place(USUAL_DAYS, uuid.UUID(int=0))
    (passed,) = connection.execute(
        "select count(*) from notifications where notification_id <= %s", (place,)
    ).fetchall()
    assert passed == (2,)
    assert run(forever)["payloads"] == 3


def test_a_secret_payload_goes_with_the_end_of_the_last_route(
    store: Store, connection: Connection
) -> None:
    first, second = secrets(store, 1, routes=2)
    assert first.secret
    assert first.payload
    finaliser = a_finaliser()
    finaliser.settle(store, [Result(claim=first, outcome=Delivered(message_id="m"))], until=0)
    finaliser.settle(store, [Result(claim=second, outcome=Failed(error="e"))], until=0)
    assert payloads(connection) == 1, "the second route is retried"
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = now() where status = 'retrying'"
    )
    (again,) = claim_all(store)
    assert again.payload == first.payload
    finaliser.settle(store, [Result(claim=again, outcome=Permanent(error="e"))], until=0)
    assert payloads(connection) == 0


def test_secret_payloads_of_a_batch_go_together(store: Store, connection: Connection) -> None:
    claims = secrets(store, 3, routes=2)
    assert store.submit(a_notification(submission=a_submission(key="kept")), a_lease())
    results = [Result(claim=one, outcome=Delivered(message_id=str(one.route_id))) for one in claims]
    a_finaliser().settle(store, results, until=0)
    assert payloads(connection) == 1
    assert a_dispatch(store, ScriptedChannel())(forever)["published"] == 1
    assert payloads(connection) == 1


def test_what_ended_without_dispatch_leaves_its_secret_to_the_next_purge(
    store: Store, database: Database, connection: Connection
) -> None:
    one = replace(a_notification(), notification_id=uuid7(), payload_days=SECRET)
    assert store.submit(one, a_lease())
    assert store.cancel(one.notification_id) is not None
    assert purge(database)["payloads"] == 1
    assert payloads(connection) == 0


def test_a_redrive_of_a_removed_payload_is_refused(
    functions: Functions, connection: Connection
) -> None:
    route, _ = make(connection, 2)
    (kept,) = make(connection, 1)
    connection.execute(
        "delete from dovecote.notification_payloads p using dovecote.notification_routes r"
        " where r.route_id = %s and r.notification_id = p.notification_id",
        (route,),
    )
    answer = functions.call("POST", f"/dead-letters/{route}/redrive")
    assert_problem(answer, 409)
    assert (
        answer.body["detail"] == "The payload was removed; submit the notification with a new key."
    )
    many = functions.call("POST", "/dead-letters/redrive", b'{"filter": {}}')
    assert [many.body[name] for name in ("matched", "redriven", "refused")] == [3, 1, 2]
    pending = connection.execute(
        "select route_id from dovecote.notification_routes where status = 'pending'"
    ).fetchall()
    assert pending == [(kept,)]


def test_a_redrive_and_a_removal_wait_for_each_other(
    connection: Connection, database_url: str
) -> None:
    (route,) = make(connection, 1)
    ids = "array(select notification_id from dovecote.notification_payloads)"
    remove, hold = f"select dovecote.remove_payloads({ids})", "select dovecote.hold_payloads(%s)"
    with psycopg.connect(database_url) as other:
        other.execute("set lock_timeout = '100ms'")
        with connection.transaction():
            assert connection.execute(hold, ([route],)).fetchall() == [(route,)]
            with pytest.raises(errors.LockNotAvailable):
                other.execute(remove.encode())
        other.rollback()
        with connection.transaction():
            assert connection.execute(remove.encode()).fetchall() == [(1,)]
            with pytest.raises(errors.LockNotAvailable):
                other.execute(hold, ([route],))
        other.rollback()
        assert other.execute(hold, ([route],)).fetchall() == []


def test_submit_removes_a_secret_payload_that_it_has_sent(
    database_url: str, connection: Connection, provider: Running, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(shipped(), tmp_path / "catalog"))
    document = yaml.safe_load((folder / "kinds.yaml").read_text("utf-8"))
    document["kinds"][kind_of()]["secret"] = True
    (folder / "kinds.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with run_functions(environment(database_url, provider.url, folder)) as functions:
        (route,) = functions.post(channel_body()).body["routes"]
    assert route["status"] == "published"
    assert payloads(connection) == 0
