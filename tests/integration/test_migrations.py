"""Migrations: forward only, one at a time, and at peace with the release before."""

import threading
import traceback
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from dovecote.core.errors import StoreFailed
from dovecote.store.database import Database
from dovecote.store.schema.migrate import ChangedMigration, Migration, known, migrate, migrate_with
from tests.builders import ADDRESS, a_notification, a_route, claim_all, store_routes, stored
from tests.store import Store

Connection = psycopg.Connection[Any]
NEXT = Migration(
    version=9001,
    name="9001_next.sql",
    text="alter table dovecote.notifications add column more text",
)
BROKEN = Migration(
    version=9002, name="9002_broken.sql", text="create table dovecote.half (); select 1 / 0"
)


def applied(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select name from dovecote.schema_migrations order by version")
        return [name for (name,) in rows.fetchall()]


def test_an_empty_database_is_brought_to_the_newest_schema(empty_database_url: str) -> None:
    names = [migration.name for migration in known()]
    assert migrate(empty_database_url) == names
    assert applied(empty_database_url) == names


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == []


def test_the_files_are_numbered_from_one_without_a_gap() -> None:
    assert [migration.version for migration in known()] == list(range(1, len(known()) + 1))


def test_many_at_once_apply_each_file_once(empty_database_url: str) -> None:
    results: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(migrate(empty_database_url)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, results)) == [0, 0, 0, len(known())]


def test_a_file_that_changed_after_it_was_applied_is_refused(database_url: str) -> None:
    changed = [replace(known()[0], text="select 1"), *known()[1:]]
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        pytest.raises(ChangedMigration, match=known()[0].name),
    ):
        migrate_with(connection, changed)


def test_a_file_that_fails_leaves_nothing_of_itself(database_url: str) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.DivisionByZero),
    ):
        migrate_with(connection, [*known(), NEXT, BROKEN])
    assert applied(database_url) == [*[m.name for m in known()], NEXT.name]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select to_regclass('dovecote.half')").fetchone() == (None,)


def test_a_database_ahead_of_the_known_files_is_success_and_serves_this_release(
    database_url: str, store: Store
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        migrate_with(connection, [*known(), NEXT])
    assert migrate(database_url) == []
    store_routes(store, 1)
    assert len(claim_all(store)) == 1


def test_operators_find_the_tables_without_their_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from notification_routes").fetchone() == (0,)


def test_no_session_waits_for_long_but_a_migration_may(database_url: str) -> None:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    unbounded = Migration(
        version=9003,
        name="9003_unbounded.sql",
        text="create table dovecote.bounds as"
        " select current_setting('lock_timeout') as a, current_setting('statement_timeout') as b",
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        bounds = [connection.execute(f"show {name}".encode()).fetchone() for name in names]
        migrate_with(connection, [*known(), unbounded])
        seen = connection.execute("select * from dovecote.bounds").fetchall()
    assert bounds == [("2s",), ("4s",), ("10s",)]
    assert seen == [("0", "0")]


def test_an_error_of_the_store_repeats_nothing_of_the_row(
    store: Store, connection: Connection
) -> None:
    connection.execute(
        "alter table dovecote.notification_routes"
        " add constraint nobody check (resolved_email is null)"
    )
    with pytest.raises(StoreFailed) as caught:
        stored(store, a_notification([a_route(resolved_email=ADDRESS)]))
    printed = "".join(traceback.format_exception(caught.value))
    assert "CheckViolation 23514 nobody" in printed
    assert ADDRESS not in printed


def test_a_connection_that_was_ended_while_idle_costs_no_request(
    database_url: str, connection: Connection
) -> None:
    opened: list[Connection] = []

    def connect() -> Connection:
        opened.append(psycopg.connect(database_url, autocommit=True))
        return opened[-1]

    database = Database(connect)
    store = Store(database, default_max_attempts=5)
    store_routes(store, 1)
    connection.execute("select pg_terminate_backend(%s)", (opened[0].info.backend_pid,))
    assert len(claim_all(store)) == 1
    assert len(opened) == 2
    database.close()
