"""functions/provision: the schema and the users, for CloudFormation and by direct invocation."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import dovecote
from dovecote.aws import cloudformation
from dovecote.aws.cloudformation import ANSWER_SECONDS
from dovecote.core.errors import StoreFailed, StoreUnavailable
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.store.database import Connection as Bounded
from dovecote.store.schema import provision
from dovecote.store.schema.migrate import LOCK, Migration, known
from dovecote.store.schema.provision import Provision
from tests.builders import RecordingLog
from tests.cloudformation import SECRET, Waiting, waiting
from tests.functions import ROOT, Context, environment, load, run_functions
from tests.integration.test_roles import can_run, users_of

Connection = psycopg.Connection[Any]

NEWEST = known()[-1].version


@pytest.fixture
def stack() -> Iterator[Waiting]:
    with waiting() as one:
        yield one


def provisioned(url: str, catalog: Path, event: dict[str, Any], **more: Any) -> Any:
    """Run the function on an event, wired anew; `seconds` are those that it has."""
    context = Context(remaining_ms=int(more.pop("seconds", 60) * 1000))
    with run_functions(environment(url, "", catalog, **more)):
        return load("provision").handler(event, context)


def version_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("select max(version) from dovecote.schema_migrations").fetchone()
        assert found is not None
        return int(found[0])


# By direct invocation.


def test_an_event_without_a_request_migrates_and_makes_no_user(
    empty_database_url: str, catalog_folder: Path
) -> None:
    applied = [migration.name for migration in known()]
    for files in (applied, []):
        answer = provisioned(empty_database_url, catalog_folder, {})
        assert answer == {"applied": files, "version": NEWEST}
    assert version_of(empty_database_url) == NEWEST


def test_the_users_that_it_names_are_made(empty_database_url: str, catalog_folder: Path) -> None:
    with users_of(empty_database_url) as names:
        event = {"users": {"Submit": names["Submit"]}}
        provisioned(empty_database_url, catalog_folder, event)
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            assert can_run(connection, names["Submit"], "Submit")
            assert connection.execute(
                "select from pg_roles where rolname = %s", (names["Api"],)
            ).rowcount == 0  # fmt: skip


# By make migrate.


def migrated_by_hand(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dovecote.wiring.provision"]
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "layers" / "dovecote")}
    return subprocess.run(
        command, env={**given, **environment}, capture_output=True, text=True, check=False
    )


def test_a_database_is_migrated_by_hand(empty_database_url: str, catalog_folder: Path) -> None:
    ran = migrated_by_hand(DATABASE_URL=empty_database_url, CATALOG_PATH=str(catalog_folder))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith(f"version {NEWEST}\n")
    assert version_of(empty_database_url) == NEWEST


def test_what_is_wrong_by_hand_is_said_in_words(catalog_folder: Path, tmp_path: Path) -> None:
    url = "postgresql://nowhere"
    for ran, words in (
        (migrated_by_hand(CATALOG_PATH=str(catalog_folder)), "set it, or DATABASE_URL"),
        (migrated_by_hand(DATABASE_URL=url, CATALOG_PATH=str(tmp_path)), "kinds.yaml: "),
    ):
        assert ran.returncode == 1
        assert words in ran.stderr
        assert "Traceback" not in ran.stderr


# By CloudFormation.


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_cloudformation_is_told_the_version_of_the_schema(
    stack: Waiting, empty_database_url: str, catalog_folder: Path, request_type: str
) -> None:
    with users_of(empty_database_url) as names:
        event = stack.event(request_type)
        event["ResourceProperties"]["Users"] = names
        assert provisioned(empty_database_url, catalog_folder, event) == {}
        assert stack.answer["Status"] == "SUCCESS"
        assert stack.answer["Data"] == {
            "Version": str(NEWEST),
            "Settings": cloudformation.digest(["INFO", "8"]),
        }
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            assert all(can_run(connection, names[function], function) for function in names)


def test_the_same_request_twice_is_answered_twice_alike(
    stack: Waiting, empty_database_url: str, catalog_folder: Path
) -> None:
    """Lambda may bring an event twice, also at once."""
    threads = [
        threading.Thread(target=load("provision").handler, args=(stack.event(), Context()))
        for _ in range(2)
    ]
    with run_functions(environment(empty_database_url, "", catalog_folder)):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(stack.answers) == 2
    assert stack.answers[0] == stack.answers[1]


def test_older_code_after_a_rollback_is_a_success(
    stack: Waiting,
    database_url: str,
    catalog_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provision, "known", lambda: known()[:-1])
    provisioned(database_url, catalog_folder, stack.event("Update"))
    assert stack.answer["Status"] == "SUCCESS"
    assert stack.answer["Data"] == {
        "Version": str(NEWEST),
        "Settings": cloudformation.digest(["INFO", "8"]),
    }


def test_a_deletion_asks_neither_settings_nor_database(
    stack: Waiting, catalog_folder: Path
) -> None:
    provisioned("", catalog_folder, stack.event("Delete"), LEASE_SECONDS="5")
    assert stack.answer["Status"] == "SUCCESS"


def test_bad_settings_are_told_with_the_variables_name(
    stack: Waiting, database_url: str, catalog_folder: Path
) -> None:
    provisioned(database_url, catalog_folder, stack.event(), LEASE_SECONDS="5")
    assert stack.answer["Status"] == "FAILED"
    assert stack.answer["Reason"].startswith("LEASE_SECONDS: must be more than")


def test_users_that_cannot_be_are_told_after_the_migration(
    stack: Waiting, empty_database_url: str, catalog_folder: Path
) -> None:
    event = stack.event()
    event["ResourceProperties"]["Users"] = {"Sumbit": "ann"}
    provisioned(empty_database_url, catalog_folder, event)
    assert stack.answer["Status"] == "FAILED"
    assert stack.answer["Reason"].startswith("Users: Sumbit: must be one of: ")


def test_a_wiring_that_cannot_be_imported_is_told(
    stack: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(dovecote, "wiring")
    monkeypatch.setitem(sys.modules, "dovecote.wiring", None)
    load("provision").handler(stack.event(), Context())
    assert stack.answer["Status"] == "FAILED"
    assert stack.answer["Reason"] == "ModuleNotFoundError: see the function's log."


def test_a_migration_that_fails_is_told_by_its_name_and_repeats_no_row(
    stack: Waiting,
    database_url: str,
    catalog_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = Migration(version=9002, name="9002_broken.sql", text="select 'hunter2'::integer")
    monkeypatch.setattr(provision, "known", lambda: [*known(), broken])
    provisioned(database_url, catalog_folder, stack.event("Update"))
    assert stack.answer["Status"] == "FAILED"
    assert stack.answer["Reason"] == "9002_broken.sql: InvalidTextRepresentation 22P02"


@pytest.mark.timed
def test_a_database_that_never_wakes_is_told_in_time(stack: Waiting, catalog_folder: Path) -> None:
    url = "postgresql://postgres@127.0.0.1:9/nowhere"
    began = time.monotonic()
    provisioned(url, catalog_folder, stack.event(), seconds=ANSWER_SECONDS + 7.5)
    assert time.monotonic() - began < 10
    assert stack.answer["Status"] == "FAILED"
    assert stack.answer["Reason"].startswith("OperationalError connection failed")


def test_a_migration_that_waits_for_too_long_is_ended_on_the_server_too_and_told(
    stack: Waiting, database_url: str, connection: Connection, catalog_folder: Path
) -> None:
    connection.execute("select pg_advisory_lock(%s)", (LOCK,))
    provisioned(database_url, catalog_folder, stack.event("Update"), seconds=ANSWER_SECONDS + 8)
    assert stack.answer["Status"] == "FAILED"
    assert stack.answer["Reason"] == "the time ran out: QueryCanceled 57014"
    others = connection.execute(
        "select query from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and state = 'active'"
    )
    assert others.fetchall() == []


def test_a_slow_migration_is_ended_on_the_server_too_and_told_by_its_name(
    stack: Waiting,
    database_url: str,
    catalog_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Migration(version=9004, name="9004_slow.sql", text="select pg_sleep(30)")
    monkeypatch.setattr(provision, "known", lambda: [*known(), slow])
    provisioned(database_url, catalog_folder, stack.event("Update"), seconds=ANSWER_SECONDS + 8)
    assert stack.answer["Reason"] == "the time ran out: 9004_slow.sql: QueryCanceled 57014"


def test_no_line_of_the_log_holds_the_url_of_the_answer(
    stack: Waiting,
    database_url: str,
    catalog_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    provisioned(database_url, catalog_folder, stack.event())
    provisioned(database_url, catalog_folder, stack.event(), LEASE_SECONDS="5")
    printed = "".join(capsys.readouterr())
    assert SECRET not in printed
    (line,) = [json.loads(one) for one in printed.splitlines() if "provisioned" in one]
    assert (line["applied"], line["version"]) == ([], NEWEST)


# A database that wakes.


def provision_by(
    connect: Callable[[], Bounded],
    sleep: Sleep,
    *,
    clock: Clock = time.monotonic,
    log: Log | None = None,
) -> Provision:
    """Provision with a catalog of nothing."""
    log = log or RecordingLog()
    return Provision(connect=connect, clock=clock, sleep=sleep, log=log)


def test_a_database_that_wakes_late_is_waited_for(database_url: str) -> None:
    log, slept = RecordingLog(), []

    def connect() -> Bounded:
        if len(slept) < 3:
            return Bounded.connect("postgresql://postgres@127.0.0.1:9/nowhere")
        return Bounded.connect(database_url, autocommit=True)

    provision = provision_by(connect, slept.append, log=log)
    assert provision({}, 60).version == NEWEST
    assert [message for _, message, _ in log.lines] == ["database not there yet"] * 3


def test_what_waiting_cannot_help_is_not_waited_for() -> None:
    def connect() -> Bounded:
        return Bounded.connect("postgresql://ann@127.0.0.1/?no_such_option=1")

    slept: list[float] = []
    provision = provision_by(connect, slept.append)
    with pytest.raises(StoreFailed):
        provision({}, 60)
    assert slept == []


def test_a_database_is_not_waited_for_without_end() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def connect() -> Bounded:
        return Bounded.connect("postgresql://postgres@127.0.0.1:9/nowhere")

    waking = provision_by(connect, sleep, clock=lambda: now)
    with pytest.raises(StoreUnavailable, match="connection failed"):
        waking({}, 600)
    assert provision.WAKE_SECONDS - 3 <= now <= provision.WAKE_SECONDS
