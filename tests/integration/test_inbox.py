"""Submissions in SQL that are pending or refused: read, cancelled, erased, retried, purged."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.errors import StoreFailed, StoreUnavailable
from dovecote.core.notification import Priority
from dovecote.core.ports import NotInvoked
from dovecote.store.database import Database
from dovecote.store.submit.inbox import PostgresInbox
from dovecote.store.submit.submissions import PostgresSubmissions
from dovecote.submit import expand
from dovecote.submit.build_notification import BuildNotification
from dovecote.wiring import clients
from local.provider import Running
from tests.builders import misfiled
from tests.functions import ROOT, SUBMIT, Context, Functions, environment, run_functions
from tests.integration.test_roles import acting, names, users
from tests.integration.test_scale_out import Lambda
from tests.integration.test_submit_in_sql import (
    CANARY,
    Waiting,
    await_a_wait,
    count,
    ran,
    refused,
    submit,
    wired,
)
from tests.sending import a_body, recipient

Connection = psycopg.Connection[Any]
__all__ = ["names", "users", "wired"]

DATA = {"first_name": "Ann"}
UNFIT = {"payload": {"carrier": "DHL"}}


@pytest.fixture
def inbox(database: Database) -> PostgresInbox:
    return PostgresInbox(database)


def make_due(connection: Connection) -> None:
    connection.execute(
        "update dovecote.inbox set next_attempt_at = now() where next_attempt_at is not null"
    )


def attempts(connection: Connection) -> list[int]:
    return [n for (n,) in connection.execute("select attempts from dovecote.inbox").fetchall()]


def statuses(connection: Connection) -> set[str]:
    found = connection.execute("select status from dovecote.notification_routes").fetchall()
    return {status for (status,) in found}


# A pending submission is expanded before it is read.


def test_a_get_of_a_pending_submission_expands_it(wired: Functions, connection: Connection) -> None:
    notification_id, *_ = submit(connection)
    answer = wired.call("GET", f"/notifications/{notification_id}")
    assert answer.status == 200
    assert answer.body["notification_id"] == str(notification_id)
    assert len(answer.body["routes"]) == len(NAMES)
    assert count(connection, "inbox") == 0


def test_a_search_for_the_key_of_a_pending_submission_expands_it(
    wired: Functions, connection: Connection
) -> None:
    notification_id, *_ = submit(connection)
    query = f"kind=order.shipped&idempotency_key={a_body()['idempotency_key']}"
    (found,) = wired.call("GET", f"/notifications?{query}").body["notifications"]
    assert (found["notification_id"], len(found["routes"])) == (str(notification_id), len(NAMES))


def test_a_search_for_the_key_of_a_submission_that_is_refused_finds_nothing(
    wired: Functions, connection: Connection
) -> None:
    submit(connection, **UNFIT)
    query = f"kind=order.shipped&idempotency_key={a_body()['idempotency_key']}"
    assert wired.call("GET", f"/notifications?{query}").body["notifications"] == []
    assert len(refused(wired)) == 1


def test_a_cancel_of_a_pending_submission_cancels_its_routes(
    wired: Functions, connection: Connection
) -> None:
    notification_id, *_ = submit(connection)
    answer = wired.call("DELETE", f"/notifications/{notification_id}")
    assert (answer.status, answer.body["cancelled"]) == (200, 1)
    assert wired.dispatch()["claimed"] == 0
    assert statuses(connection) <= {"cancelled", "skipped"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_refused_submission_is_a_conflict_with_its_faults(
    wired: Functions, connection: Connection, method: str
) -> None:
    notification_id, *_ = submit(connection, **UNFIT)
    for _ in range(2):
        answer = wired.call(method, f"/notifications/{notification_id}")
        assert answer.status == 409
        assert answer.body["detail"].startswith("The submission was refused: ")
        assert answer.body["errors"] == [{"pointer": "", "detail": "/payload: required"}]
    assert len(refused(wired)) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_id_is_not_found_and_submit_is_not_called(
    wired: Functions, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(clients, "waiting_lambda_client", lambda: None)
    assert wired.call(method, f"/notifications/{uuid.uuid4()}").status == 404


@pytest.mark.parametrize("broken", ["no function", "an error of Lambda", "an error of submit"])
def test_a_pending_submission_that_cannot_be_expanded_now_is_unavailable(
    database_url: str,
    connection: Connection,
    catalog_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    class Broken(Lambda):
        def invoke(self, **_: Any) -> Any:
            if broken == "an error of submit":
                return {"FunctionError": "Unhandled", "Payload": Body()}
            raise clients_error()

    notification_id, *_ = submit(connection)
    more = {"SUBMIT_FUNCTION": ""} if broken == "no function" else {}
    with ran(database_url, catalog_folder, **more) as functions:
        monkeypatch.setattr(clients, "waiting_lambda_client", Broken)
        answers = [
            functions.call("GET", f"/notifications/{notification_id}"),
            functions.call("DELETE", f"/notifications/{notification_id}"),
            functions.call("DELETE", "/users?user_id=u-1"),
        ]
    assert {answer.status for answer in answers} == {503}
    assert count(connection, "inbox") == 1


class Body:
    def read(self) -> bytes:
        return b'{"errorMessage": "killed"}'


def clients_error() -> Exception:
    from botocore.exceptions import ReadTimeoutError

    return ReadTimeoutError(endpoint_url="https://lambda")


# Erasure.


@pytest.mark.channels("email", "push")
@pytest.mark.parametrize("query", ["users?user_id=u-1", "recipients?email=Ann%40example.com"])
def test_an_erasure_expands_and_erases_what_is_pending(
    wired: Functions, connection: Connection, provider: Running, query: str
) -> None:
    ann = {"user_id": "u-1", "email": "ann@EXAMPLE.com", "data": DATA}
    bob = {"user_id": "u-2", "email": "bob@example.com", "data": DATA}
    submit(connection, idempotency_key="ann", recipients=[ann])
    submit(connection, idempotency_key="both", recipients=[bob, ann])
    submit(connection, idempotency_key="bob", recipients=[bob])
    answer = wired.call("DELETE", f"/{query}")
    assert answer.status == 200
    # They are stored without the person, so there is nothing to erase.
    assert answer.body["erased"] == 0
    assert not answer.body["remaining"]
    pending = connection.execute("select idempotency_key from dovecote.inbox").fetchall()
    assert pending == [("bob",)]
    wired.expand()
    assert wired.dispatch()["published"] == 2  # bob's
    routes = connection.execute("select r::text from dovecote.notification_routes r").fetchall()
    gone = "u-1" if "user_id" in query else "ann@"
    assert not [text for (text,) in routes if gone in text.lower()]
    assert misfiled(connection) == []


@pytest.mark.channels("email")
@pytest.mark.parametrize(
    ("submitted", "erased"),
    [
        ("INFO@example.com", "info@example.com"),
        ("ann@m\u00fcnchen.example.com", "ann@xn--mnchen-3ya.example.com"),
        ("\\u0061nn@example.com", "ann@example.com"),
    ],
)
def test_an_erasure_finds_a_pending_address_however_it_is_spelt(
    wired: Functions, connection: Connection, submitted: str, erased: str
) -> None:
    person = f'[{{"email": "{submitted}", "data": {{"first_name": "Ann"}}}}]'
    submit(connection, recipients=person)
    answer = wired.call("DELETE", f"/recipients?email={erased}")
    assert answer.body["remaining"] is False
    assert connection.execute(
        "select last_error from dovecote.notification_routes where channel = 'email'"
    ).fetchall() == [("recipient is erased",)]
    assert wired.dispatch()["claimed"] == 0


def test_what_fails_while_its_person_is_erased_is_refused(
    wired: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be stored after the erasure otherwise."""
    submit(connection)
    poison(monkeypatch, lambda _: True)
    assert wired.call("DELETE", "/users?user_id=u-1").body["remaining"] is False
    (one,) = refused(wired)
    assert one["problem"]["status"] == 500
    (left,) = connection.execute("select inbox::text from dovecote.inbox")
    assert "u-1" not in left[0]


def test_an_erasure_that_runs_out_of_time_says_that_submissions_remain(
    wired: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expand, "PERSON_SECONDS", -1.0)
    submit(connection)
    assert wired.call("DELETE", "/users?user_id=u-1").body["remaining"] is True


# Failures.


def poison(monkeypatch: pytest.MonkeyPatch, is_bad: Callable[[Any], bool]) -> None:
    """Let the planning of some submissions raise what nothing expects."""
    real = BuildNotification.__call__

    def planned(self: BuildNotification, submission: Any, **more: Any) -> Any:
        if is_bad(submission):
            raise ZeroDivisionError(CANARY)
        return real(self, submission, **more)

    monkeypatch.setattr(BuildNotification, "__call__", planned)


def test_a_submission_that_fails_stops_no_other_and_is_refused_after_its_attempts(
    wired: Functions,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key in ("before", "bad", "after"):
        submit(connection, idempotency_key=key)
    poison(monkeypatch, lambda submission: submission.idempotency_key == "bad")
    run = wired.expand()
    assert (run["expanded"], run["failed"]) == (2, 1)
    waits = connection.execute(
        "select extract(epoch from next_attempt_at - now()) between 50 and 70 from dovecote.inbox"
    )
    assert waits.fetchall() == [(True,)]
    assert wired.expand()["failed"] == 0  # it waits
    for _ in range(expand.MOST_ATTEMPTS - 1):
        make_due(connection)
        wired.expand()
    (one,) = refused(wired)
    assert (one["idempotency_key"], one["problem"]["status"]) == ("bad", 500)
    assert CANARY not in capsys.readouterr().out


def test_a_submission_whose_worker_dies_each_time_is_refused_without_another_attempt(
    wired: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(connection)
    connection.execute("update dovecote.inbox set attempts = %s", (expand.MOST_ATTEMPTS,))
    poison(monkeypatch, lambda _: pytest.fail("it was attempted"))
    assert wired.expand()["refused"] == 1


def test_submissions_that_were_attempted_before_are_claimed_alone(
    inbox: PostgresInbox, connection: Connection
) -> None:
    for key in ("a", "b", "c"):
        submit(connection, idempotency_key=key)
    assert len(inbox.claim({}, again=False, most=50)) == 3
    make_due(connection)
    assert inbox.claim({}, again=False, most=50) == []
    assert len(inbox.claim({}, again=True, most=1)) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), StoreFailed("refused")])
def test_a_store_that_fails_leaves_the_submission_pending(
    wired: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error

    submit(connection)
    with monkeypatch.context() as patch:
        patch.setattr(PostgresSubmissions, "submit", fails)
        wired.expand()
    assert count(connection, "inbox") == 1
    make_due(connection)
    assert wired.expand()["expanded"] == 1


def test_a_run_without_time_gives_back_what_it_did_not_begin(
    wired: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in range(3):
        submit(connection, idempotency_key=str(key))
    left = iter([20.0, 20.0, 0.0, 0.0])
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: int(next(left) * 1000))
    run = wired.expand()
    assert (run["expanded"], run["remaining"]) == (1, True)
    assert attempts(connection) == [0, 0]


@pytest.mark.parametrize(
    ("runs", "left", "calls"),
    [
        (4, 20.0, []),
        (4, 0.0, [(SUBMIT, '{"expand": {"runs": 3}}')]),
        (2, 0.0, [(SUBMIT, '{"expand": {"runs": 1}}')]),
        (1, 0.0, []),
    ],
)
def test_a_run_calls_the_next_one_if_something_is_left(
    wired: Functions,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    runs: int,
    left: float,
    calls: list[Any],
) -> None:
    aws = Lambda()
    monkeypatch.setattr(clients, "lambda_client", lambda: aws)
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: int(left * 1000))
    submit(connection)
    assert wired.expand(runs=runs)["remaining"] is (left == 0)
    assert aws.calls == calls


def test_a_run_whose_next_one_cannot_be_called_says_so(
    wired: Functions,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    aws = Lambda(NotInvoked("throttled"))
    monkeypatch.setattr(clients, "lambda_client", lambda: aws)
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: 0)
    submit(connection)
    assert wired.expand(runs=2)["remaining"]
    assert capsys.readouterr().out.count("inbox not expanded") == 1


# By priority and age.


def test_a_claim_takes_the_highest_priority_and_then_the_oldest(
    inbox: PostgresInbox, connection: Connection
) -> None:
    for key, kind in enumerate(["low", "unknown", "high", "normal", "high", "low"]):
        submit(connection, kind=kind, idempotency_key=str(key))
    kinds = {"low": Priority.LOW, "high": Priority.HIGH, "normal": Priority.NORMAL}
    claimed = []
    for _ in range(6):
        (one,) = inbox.claim(kinds, again=False, most=1)
        claimed.append((one.kind, one.idempotency_key))
    assert claimed == [
        ("high", "2"), ("high", "4"), ("normal", "3"), ("low", "0"), ("low", "5"),
        ("unknown", "1"),
    ]  # fmt: skip


def test_dispatch_is_called_for_what_the_schedule_had_expanded_and_for_nothing_else(
    database_url: str,
    connection: Connection,
    catalog_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = Lambda()
    monkeypatch.setattr(clients, "lambda_client", lambda: aws)
    with ran(database_url, catalog_folder, DISPATCH_FUNCTION="dispatch") as functions:
        functions.expand()
        submit(connection, idempotency_key="later", deliver_at="2099-01-01T00:00:00Z")
        functions.expand()
        assert aws.calls == []
        submit(connection)
        functions.expand()
        for method in ("GET", "DELETE"):
            one = submit(connection, idempotency_key=method)[0]
            assert functions.call(method, f"/notifications/{one}").status == 200
        submit(connection, idempotency_key="erased")
        connection.execute("update dovecote.handover set taken_until = '-infinity'")
        assert functions.call("DELETE", "/users?user_id=u-1").status == 200
    assert aws.calls == [("dispatch", '{"source": "submit"}')]


def test_the_schedule_has_the_lag_and_the_refusals_measured(
    wired: Functions, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    submit(connection)
    submit(connection, idempotency_key="k", recipients=[{"user_id": 1}])
    connection.execute("update dovecote.inbox set next_attempt_at = now() - interval '90 seconds'")
    wired.expand()
    wired.expand()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first, second = [line for line in lines if "expansion_lag_seconds" in line]
    assert 89 < first["expansion_lag_seconds"][0] < 100
    assert (first["submissions_expanded"], first["submissions_refused"]) == ([1.0], [1.0])
    assert (second["expansion_lag_seconds"], second["refused_hour"]) == ([0.0], [1.0])


@pytest.mark.parametrize("event", [{"expand": 1}, {"expand": {"id": "x"}}, {"expand": None}])
def test_an_event_that_cannot_be_read_expands_nothing(
    wired: Functions, connection: Connection, event: Any
) -> None:
    submit(connection)
    assert wired.invoke_submit(event)["status"] == 400
    assert count(connection, "inbox") == 1


# Many workers at once.


def test_workers_at_once_expand_each_submission_once(
    wired: Functions, connection: Connection
) -> None:
    for key in range(100):
        submit(connection, idempotency_key=str(key))
    runs: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: runs.append(wired.expand())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(run["expanded"] for run in runs) == 100
    assert count(connection, "notification_routes") == 100 * len(NAMES)
    assert misfiled(connection) == []


def test_an_expansion_beside_another_of_the_same_submission_stores_it_once(
    wired: Functions, connection: Connection
) -> None:
    """As a read that comes while the schedule expands it."""
    notification_id, *_ = submit(connection)
    threads = [
        threading.Thread(target=wired.call, args=("GET", f"/notifications/{notification_id}"))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (count(connection), count(connection, "notification_routes")) == (1, len(NAMES))


def test_a_submit_by_http_waits_for_the_transaction_of_the_producer(
    wired: Functions, connection: Connection, database_url: str
) -> None:
    answers: list[Any] = []
    with connection.transaction():
        first = submit(connection)
        posting = threading.Thread(target=lambda: answers.append(wired.post(a_body())))
        posting.start()
        await_a_wait(database_url)
    posting.join()
    (answer,) = answers
    assert (answer.status, answer.body["notification_id"]) == (202, str(first[0]))
    assert answer.headers["idempotent-replayed"] == "true"
    assert (count(connection), count(connection, "notification_routes")) == (1, len(NAMES))


def test_a_submit_by_http_is_the_first_if_the_producer_rolls_back(
    wired: Functions, connection: Connection, database_url: str
) -> None:
    answers: list[Any] = []
    with connection.transaction(force_rollback=True):
        submit(connection)
        posting = threading.Thread(target=lambda: answers.append(wired.post(a_body())))
        posting.start()
        await_a_wait(database_url)
    posting.join()
    (answer,) = answers
    assert answer.status == 202
    assert "idempotent-replayed" not in answer.headers


def test_a_submit_in_sql_waits_while_the_same_key_is_expanded(
    inbox: PostgresInbox, connection: Connection, database_url: str
) -> None:
    first = submit(connection)
    with connection.transaction():
        connection.execute("select dovecote.refuse_submission(%s, '{}')", (first[0],))
        waiting = Waiting(database_url)
        waiting.start()
        await_a_wait(database_url)
    waiting.join()
    assert waiting.came[2] is False
    assert waiting.came[0] != first[0]


# A worker that is killed.

DYING = """
import os, signal, sys
sys.path.insert(0, {root!r})
from dovecote.store.submit.submissions import PostgresSubmissions
from tests.functions import Context, load
real = PostgresSubmissions.submit
stored = []
def dying(self, notification, *given, **more):
    if len(stored) == 2 and {before}:
        os.kill(os.getpid(), signal.SIGKILL)
    stored.append(real(self, notification, *given, **more))
    if len(stored) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return stored[-1]
PostgresSubmissions.submit = dying
load("submit").handler({{"expand": {{}}}}, Context())
"""


@pytest.mark.parametrize("before", [True, False])
def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    wired: Functions, connection: Connection, database_url: str, catalog_folder: Path, before: bool
) -> None:
    ids = {submit(connection, idempotency_key=str(key))[0] for key in range(5)}
    given = environment(database_url, "", catalog_folder, INLINE_ROUTES="0")
    path = os.pathsep.join([str(ROOT / "layers" / "dovecote"), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, "-c", DYING.format(root=str(ROOT), before=before)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **given},
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == -signal.SIGKILL
    assert count(connection, "inbox") == (3 if before else 2)
    assert set(attempts(connection)) == {1}
    make_due(connection)
    assert wired.expand()["expanded"] == (3 if before else 2)
    found = connection.execute(
        "select notification_id, count(*) from dovecote.notification_routes group by 1"
    ).fetchall()
    assert dict(found) == dict.fromkeys(ids, len(NAMES))
    assert wired.dispatch()["published"] == 5


def test_a_connection_that_is_lost_within_the_transaction_leaves_the_submission_pending(
    inbox: PostgresInbox, connection: Connection, database_url: str
) -> None:
    notification_id, *_ = submit(connection)
    other = psycopg.connect(database_url)
    other.execute("select dovecote.take_submission(%s)", (notification_id,))
    connection.execute("select pg_terminate_backend(%s)", (other.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        other.commit()
    assert inbox.pending(notification_id) is not None
    assert (count(connection), count(connection, "inbox")) == (1, 1)


# Lists.


def test_refused_submissions_are_pages_the_newest_first(
    wired: Functions, connection: Connection
) -> None:
    ids = [str(submit(connection, idempotency_key=str(key), **UNFIT)[0]) for key in range(5)]
    wired.expand()
    submit(connection, idempotency_key="pending")
    found: list[str] = []
    query = "limit=2"
    while True:
        page = wired.call("GET", f"/refused?{query}").body
        found += [one["notification_id"] for one in page["refused"]]
        if page["next"] is None:
            break
        query = f"limit=2&after={page['next']}"
    assert found == sorted(ids, reverse=True)


@pytest.mark.parametrize("query", ["limit=0", "after=x", "kind=k", "limit=1&limit=2"])
def test_a_list_of_refused_submissions_refuses_other_parameters(
    wired: Functions, query: str
) -> None:
    assert wired.call("GET", f"/refused?{query}").status == 422


# Retention.


def test_purge_deletes_what_was_refused_long_ago_and_nothing_else(
    wired: Functions, connection: Connection
) -> None:
    for key in ("old", "new"):
        submit(connection, idempotency_key=key, **UNFIT)
    wired.expand()
    submit(connection, idempotency_key="pending")
    connection.execute(
        "update dovecote.inbox set refused_at = now() - interval '91 days'"
        " where idempotency_key = 'old'"
    )
    assert wired.purge()["submissions"] == 1
    left = connection.execute("select idempotency_key from dovecote.inbox order by 1").fetchall()
    assert left == [("new",), ("pending",)]


def test_purge_deletes_a_submission_that_nothing_expanded_for_so_long(
    wired: Functions, connection: Connection
) -> None:
    submit(connection)
    connection.execute("update dovecote.inbox set created_at = now() - interval '91 days'")
    assert wired.purge()["submissions"] == 1


def test_without_retention_everything_is_kept(
    database_url: str, connection: Connection, catalog_folder: Path
) -> None:
    values = environment(database_url, "", catalog_folder, RETENTION_DAYS="0")
    with run_functions(values) as functions:
        submit(connection, **UNFIT)
        functions.expand()
        connection.execute("update dovecote.inbox set refused_at = now() - interval '9 years'")
        assert functions.purge()["submissions"] == 0


# Rights.


def test_the_functions_of_the_owner_delete_nothing_but_a_pending_submission(
    wired: Functions, connection: Connection, users: dict[str, str]
) -> None:
    stored = wired.post(a_body()).body["notification_id"]
    pending = submit(connection, idempotency_key="k")[0]
    with acting(connection, users["Submit"]):
        for one in (stored, uuid.uuid4()):
            taken = connection.execute(
                "select dovecote.take_submission(%(id)s), dovecote.refuse_submission(%(id)s, '{}')",
                {"id": one},
            )
            assert taken.fetchone() == (None, False)
    assert (count(connection), count(connection, "inbox")) == (2, 1)
    with acting(connection, users["Submit"]):
        connection.execute("select dovecote.refuse_submission(%s, '{}')", (pending,))
    assert count(connection) == 1


def test_recipients_are_the_same_as_by_http(wired: Functions, connection: Connection) -> None:
    people = [recipient(number, data=DATA) for number in range(1, 4)]
    submit(connection, recipients=people)
    wired.expand()
    assert wired.dispatch()["published"] == 3
