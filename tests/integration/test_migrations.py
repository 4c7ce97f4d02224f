"""Migrations: forward only, one at a time, and at peace with the release before."""

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from dovecote.core.errors import StoreFailed
from dovecote.store.database import Connection as OwnConnection
from dovecote.store.database import Database, Unanswered
from dovecote.store.schema.migrate import ChangedMigration, Migration, known, migrate, migrate_with
from tests.builders import (
    ADDRESS,
    CHANNEL,
    a_notification,
    a_route,
    claim_all,
    store_routes,
    stored,
)
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


def test_no_session_waits_for_long_and_a_migration_works_without_a_limit(database_url: str) -> None:
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
    assert seen == [("500ms", "0")]


def test_an_error_of_the_store_repeats_nothing_of_the_row(
    store: Store, connection: Connection
) -> None:
    connection.execute(
        "alter table dovecote.notification_routes add constraint nobody check (address is null)"
    )
    with pytest.raises(StoreFailed) as caught:
        stored(store, a_notification([a_route(address=ADDRESS)]))
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


FEW_ROWS = {
    "channels", "further_acceptances", "email_rejections", "purge_place", "redrives",
    "retired_endpoints", "schema_migrations",
}  # fmt: skip


def test_tables_that_grow_are_analysed_by_rows_and_not_by_share(connection: Connection) -> None:
    found = fetched(
        connection,
        "select relname, reloptions from pg_class"
        " where relkind = 'r' and relnamespace = 'dovecote'::regnamespace",
    )
    by_share = {
        name
        for name, options in found
        if not {"autovacuum_analyze_scale_factor=0", "autovacuum_vacuum_scale_factor=0"}
        & set(options or ())
    }
    assert by_share == FEW_ROWS


def fetched(connection: Connection, query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()


# While the service runs.


COLUMN = Migration(
    version=9004,
    name="9004_column.sql",
    text="alter table dovecote.notification_routes add column more text",
)
INDEX = Migration(
    version=9005,
    name="9005_index.sql",
    text="""-- Outside a transaction.

-- An attempt that failed leaves an invalid index.
drop index concurrently if exists dovecote.notification_routes_more;
create index concurrently notification_routes_more on dovecote.notification_routes (more);
""",
)
BACKFILL = Migration(
    version=9006,
    name="9006_backfill.sql",
    text="""-- Outside a transaction.
alter table dovecote.notifications add column if not exists more text;
-- Until no row changes.
update dovecote.notifications
set more = kind
where ctid = any (array(
    select ctid from dovecote.notifications where more is null limit 10000
));
""",
)


@contextmanager
def traffic(url: str) -> Iterator[list[float]]:
    """Submit and claim all the time; yield the seconds of each statement."""
    seconds: list[float] = []
    ended = threading.Event()

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            store = Store(Database(lambda: connection), default_max_attempts=5)
            while not ended.is_set():
                for call in (lambda: store_routes(store, 1), lambda: claim_all(store)):
                    began = time.monotonic()
                    call()
                    seconds.append(time.monotonic() - began)
                time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seconds
    finally:
        ended.set()
        thread.join()


def fill(connection: Connection, routes: int) -> None:
    """Store published routes, ten to a notification."""
    connection.execute("set statement_timeout = 0")
    connection.execute(
        "with n as (insert into notifications"
        "  (notification_id, kind, idempotency_key, fingerprint)"
        "  select uuidv7(), 'k', i::text, 'f' from generate_series(1, %s) i"
        "  returning notification_id)"
        " insert into notification_routes (route_id, notification_id, position, channel, target,"
        "  priority, lane, status, max_attempts, expires_at, published_at)"
        " select uuidv7(), notification_id, position, %s, %s, 1, 2, 'published', 8, now(), now()"
        " from n, generate_series(0, 9) position",
        (routes // 10, CHANNEL, a_route().target),
    )


@pytest.mark.timed
@pytest.mark.timeout(300)
def test_a_migration_of_a_million_rows_behind_an_open_reader_keeps_no_statement_waiting(
    database_url: str, connection: Connection
) -> None:
    fill(connection, 1_000_000)
    reported: list[tuple[str, int]] = []
    with psycopg.connect(database_url) as reader, traffic(database_url) as seconds:
        reader.execute("select from notification_routes limit 1")
        threading.Timer(4, reader.rollback).start()
        with psycopg.connect(database_url, autocommit=True) as migrating:
            files = [*known(), COLUMN, INDEX, BACKFILL]
            names = migrate_with(migrating, files, lambda *report: reported.append(report))
    assert names == [COLUMN.name, INDEX.name, BACKFILL.name]
    assert len(seconds) > 100
    assert max(seconds) < 2
    assert reported[:2] == [(BACKFILL.name, 10_000), (BACKFILL.name, 20_000)]
    assert reported[-1][1] >= 100_000


def test_a_file_outside_a_transaction_that_failed_is_applied_again_from_its_beginning(
    database_url: str,
) -> None:
    text = (
        "-- Outside a transaction.\ncreate table if not exists dovecote.half ();\n"
        "select 1 / (select count(*) from dovecote.ready);\n"
    )
    half = Migration(version=9007, name="9007_half.sql", text=text)
    with psycopg.connect(database_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable) as caught:
            migrate_with(connection, [*known(), half])
        assert caught.value.__notes__ == [half.name]
        assert half.name not in applied(database_url)
        connection.execute("create table dovecote.ready as select 1")
        assert migrate_with(connection, [*known(), half]) == [half.name]
        assert migrate_with(connection, [*known(), half]) == []


@pytest.mark.parametrize("comment", ["", "-- Its index is built concurrently, in the next file.\n"])
def test_a_statement_outside_a_transaction_waits_as_briefly_whatever_its_comment_says(
    database_url: str, comment: str
) -> None:
    text = (
        f"-- Outside a transaction.\n{comment}"
        "create table dovecote.bounds as select current_setting('lock_timeout') as bound;\n"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        file = Migration(version=9008, name="9008_bounds.sql", text=text)
        migrate_with(connection, [*known(), file])
        assert fetched(connection, "table dovecote.bounds") == [("500ms",)]


def test_a_migration_that_gets_no_lock_gives_up_at_its_deadline(database_url: str) -> None:
    with psycopg.connect(database_url) as reader:
        reader.execute("select from notification_routes")
        with OwnConnection.connect(database_url, autocommit=True) as migrating:
            migrating.deadline = time.monotonic() + 4
            with pytest.raises((psycopg.errors.QueryCanceled, Unanswered)):
                migrate_with(migrating, [*known(), COLUMN])
    assert COLUMN.name not in applied(database_url)
