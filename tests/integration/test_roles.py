"""Each function is a database user of its own, who may do what its statements need and no more."""

import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import errors, sql

from dovecote.store.schema.migrate import known, migrate, migrate_with
from dovecote.store.schema.roles import (
    FUNCTIONS,
    MOST_BYTES,
    PRODUCER,
    BadUsers,
    grants,
    make_users,
)
from dovecote.store.statements import numbered
from tests.conftest import create_database, drop_database, named

Connection = psycopg.Connection[Any]

FINALISER = {
    "channel_state/pause", "channel_state/record_failures", "channel_state/record_refusals",
    "channel_state/record_throttling", "channel_state/resume", "devices/mark_device_dead",
    "devices/skip_device", "dispatch/attempted_at", "dispatch/dead_letter", "dispatch/defer",
    "dispatch/give_back", "dispatch/publish_accepted", "dispatch/record_acceptances",
    "dispatch/record_further_acceptances", "dispatch/remove_secrets", "dispatch/retry",
    "dispatch/skip",
}  # fmt: skip
RUNS: Mapping[str, set[str]] = {
    "Submit": {
        "channel_state/ready", "dispatch/wake_up", "inbox/claim", "inbox/inbox_gauges",
        "inbox/give_back", "inbox/pending", "inbox/pending_of", "inbox/refuse", "inbox/take",
        "submit/devices", "submit/expand", "submit/find", "submit/lock_scheduled",
        "submit/notification", "submit/routes", "submit/submit", *FINALISER,
    },
    "Dispatch": {
        "channel_state/acquire_probe", "channel_state/channel_state", "channel_state/release_probe",
        "channel_state/release_slots", "channel_state/reserve", "channel_state/set_rate",
        "dispatch/accepted", "dispatch/backlog", "dispatch/claim", "dispatch/claim_expired",
        "dispatch/claim_lapsed", "dispatch/examine", "dispatch/find_due_lanes",
        "dispatch/hold_wake_up", "operations/gauges",
        *FINALISER,
    },
    "Api": {
        "devices/delete_device", "devices/delete_retired_endpoint", "devices/device_of_endpoint",
        "devices/lock_device", "devices/put_device", "devices/registrations",
        "devices/release_endpoint", "devices/replace_endpoint", "devices/retire_endpoint",
        "devices/retired_endpoints", "devices/sessions", "devices/skip_device", "inbox/entry",
        "inbox/is_waiting", "inbox/refused", "operations/cancel",
        "operations/count_dead_letters", "operations/dead_letters",
        "operations/deliveries", "operations/find_by_email", "operations/find_by_user",
        "operations/live", "operations/lock_routes", "operations/minutes",
        "operations/open_dead_letters", "operations/paused", "operations/record_redrive",
        "operations/recorded_routes", "operations/redrive", "operations/redriven_by",
        "operations/redrives", "operations/story", "operations/use_indexes",
        "people/delete_suppression", "people/erase", "people/lock_routes_of_address",
        "people/lock_routes_of_user", "people/lock_submits", "people/own_addresses",
        "people/put_suppression", "people/release", "people/share_submits",
        "people/suppress_erased", "people/suppression", "submit/find",
        "submit/notification", "submit/routes",
    },
    "Feedback": {
        "devices/mark_device_dead", "devices/skip_device", "dispatch/record_acceptances",
        "dispatch/record_further_acceptances", "feedback/lock_route", "feedback/record_delivery",
        "feedback/record_event", "feedback/record_rejection",
        "feedback/recorded", "feedback/reject", "feedback/settle", "feedback/suppress",
    },
    "Purge": {
        "devices/delete_dead_devices", "inbox/purge", "purge/keep_purge_place",
        "purge/payload_days", "purge/purge", "purge/purge_minutes",
        "purge/purge_place", "purge/purge_redrives", "purge/purgeable",
        "purge/removable", "purge/remove_payloads",
    },
}  # fmt: skip
"""The statements of sql/ that each function's use cases run."""

OWNERS = {"schema/channels", "schema/register_channels"}
"""Those that provision runs, as the owner of the tables."""

each_function = pytest.mark.parametrize("function", FUNCTIONS)


@contextmanager
def users_of(owner_url: str) -> Iterator[dict[str, str]]:
    """Yield names of users that nobody has, by function; drop what was made of them."""
    names = {function: f"{function.lower()}_{uuid.uuid4().hex[:8]}" for function in FUNCTIONS}
    try:
        yield names
    finally:
        with psycopg.connect(owner_url, autocommit=True) as admin:
            for name in names.values():
                role = sql.Identifier(name)
                with suppress(errors.UndefinedObject):
                    admin.execute(sql.SQL("drop owned by {0}; drop role {0}").format(role))


@pytest.fixture
def names(database_url: str) -> Iterator[dict[str, str]]:
    with users_of(database_url) as given:
        yield given


@pytest.fixture
def users(connection: Connection, names: dict[str, str]) -> dict[str, str]:
    """The users of the functions, in this test's database."""
    make_users(connection, names)
    return names


def as_user(connection: Connection, url: str, user: str) -> str:
    """Return the URL by which a user connects, wherever the server is."""
    connection.execute(sql.SQL("alter role {} password 'of-a-test'").format(sql.Identifier(user)))
    target = urlsplit(url)
    place = target.netloc.rpartition("@")[2]
    return urlunsplit(target._replace(netloc=f"{user}:of-a-test@{place}"))


@contextmanager
def acting(connection: Connection, user: str) -> Iterator[None]:
    """Let this connection do what a user may, and no more."""
    with connection.transaction():
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(user)))
        yield
        connection.execute("set local role none")


A_SUBMIT = """
select dovecote.store_notification(
    gen_random_uuid(), 'k', gen_random_uuid()::text, 'f', '{}', null, null, 1::smallint, 8, 60,
    gen_random_uuid(), 60,
    '[{"route_id": "00000000-0000-4000-8000-000000000000", "position": 0, "channel": "push",
       "lane": 64, "target": "topic", "claimed": true}]',
    '{u-1}', '{}'
)
"""


def plan(connection: Connection, name: str) -> None:
    """Plan a statement for any values; PostgreSQL looks at the rights for that too.

    For NULL it would see that no row comes, and look no further. What a function does is planned
    when it is run.
    """
    if name == "submit/submit":
        with connection.transaction(force_rollback=True):
            connection.execute(A_SUBMIT.encode())
    text, _ = numbered(name)
    connection.execute(b"explain (generic_plan) " + text)


def privileges(connection: Connection, user: str) -> set[tuple[str, str, str | None]]:
    """Return what a user may do with tables: privilege, table, and column where it is for one."""
    return set(
        connection.execute(
            "select a.privilege_type, c.relname, null"
            " from pg_class c, aclexplode(c.relacl) a"
            " where a.grantee = %(user)s::regrole and c.relkind in ('r', 'v')"
            " union all"
            " select a.privilege_type, c.relname, t.attname"
            " from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a"
            " where a.grantee = %(user)s::regrole",
            {"user": user},
        ).fetchall()
    )


# What the users may do.


@each_function
def test_a_user_may_run_the_statements_of_its_function(
    connection: Connection, users: dict[str, str], function: str
) -> None:
    with acting(connection, users[function]):
        for name in sorted(RUNS[function]):
            plan(connection, name)


@each_function
def test_without_any_one_of_its_rights_a_user_could_not(
    connection: Connection, users: dict[str, str], function: str
) -> None:
    user = users[function]
    for privilege, table, column in sorted(privileges(connection, user), key=str):
        with connection.transaction(force_rollback=True):
            revoke(connection, user, privilege, table, column)
            assert not can_run(connection, user, function), (privilege, table, column)


def revoke(
    connection: Connection, user: str, privilege: str, table: str, column: str | None
) -> None:
    part = sql.SQL(" ({})").format(sql.Identifier(column)) if column else sql.SQL("")
    connection.execute(
        sql.SQL("revoke {}{} on dovecote.{} from {}").format(
            sql.SQL(privilege), part, sql.Identifier(table), sql.Identifier(user)
        )
    )


def can_run(connection: Connection, user: str, function: str) -> bool:
    """Tell whether a user may run all statements of its function."""
    try:
        with acting(connection, user):
            for name in sorted(RUNS[function]):
                plan(connection, name)
    except errors.InsufficientPrivilege:
        return False
    return True


def test_every_statement_is_run_by_a_function() -> None:
    folder = Path(__file__).parents[2] / "layers" / "dovecote" / "dovecote" / "store" / "sql"
    found = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.sql")}
    parts = {"dispatch/claimed", "dispatch/lapsed", "dispatch/publish"}  # of other statements
    assert found - parts - OWNERS == set().union(*RUNS.values())


# What they may not.

DELETES = [
    "delete from notifications",
    "delete from notification_routes",
    "delete from notification_dead_letters",
    "delete from redrives",
    "delete from minutes",
]
REFUSED = {
    "Submit": [
        "select dovecote.remove_payloads('{}')",
        "select payload from notification_payloads",
        "select data from notification_routes",
        "select token from push_devices",
        "select from suppressions",
        "insert into notifications (notification_id) values (gen_random_uuid())",
        "insert into notification_routes (route_id) values (gen_random_uuid())",
        "insert into user_routes values ('u-1', gen_random_uuid(), gen_random_uuid())",
        "select dovecote.unlist('{}')",
        "delete from push_devices",
        "update notification_routes set address = 'x'",
        "update notification_routes set expires_at = now()",
        "update channel_state set rate = 1",
        "select accepted_at from email_deliveries",
        "select rate_asked_at from channel_state",
        "select address from suppressions",
        "insert into suppressions (person_hash, reason) values ('', 'manual')",
        "update notification_payloads set payload = ''",
        "select from user_routes",
        "select from address_routes",
        *DELETES,
        "insert into handover default values",
        "insert into inbox (notification_id) values (gen_random_uuid())",
        "delete from inbox",
        "update inbox set payload = ''",
        "select dovecote.submit('k', 'k', '{}', '[1]')",
    ],
    "Dispatch": [
        "select dovecote.remove_payloads('{}')",
        "insert into notifications (notification_id) values (gen_random_uuid())",
        "insert into notification_routes (route_id) values (gen_random_uuid())",
        "select dovecote.unlist('{}')",
        "select token from push_devices",
        "update notification_routes set address = 'x'",
        "delete from email_deliveries",
        "select address from suppressions",
        "delete from suppressions",
        "update notification_payloads set payload = ''",
        "select from user_routes",
        "select from address_routes",
        "insert into user_routes values ('u-1', gen_random_uuid(), gen_random_uuid())",
        *DELETES,
        "select from handover",
        "select from inbox",
        "select dovecote.take_submission(gen_random_uuid())",
    ],
    "Api": [
        "select dovecote.remove_payloads('{}')",
        "select payload from notification_payloads",
        "select data from notification_routes",
        "insert into notifications (notification_id) values (gen_random_uuid())",
        "insert into email_deliveries values (gen_random_uuid(), 'm')",
        "select rate from channel_state",
        "update channel_state set paused_until = null",
        "update redrives set who = 'x'",
        "update notification_dead_letters set reason = 'x'",
        "select address from suppressions",
        "insert into user_routes values ('u-1', gen_random_uuid(), gen_random_uuid())",
        "update notification_payloads set payload = '{}'",
        "update notification_routes set address = 'x'",
        "update notification_routes set data = 'x'",
        "update notification_routes set user_id = 'x', device_session_id = 'x'",
        "update notification_routes set status = 'pending', next_attempt_at = now()",
        "update notification_dead_letters set closed_at = null",
        "insert into notification_events (route_id, claim, event)"
        " values (gen_random_uuid(), 1, 'delivered')",
        "select dovecote.unlist('{}')",
        "select payload from inbox",
        "select recipients from inbox",
        "delete from inbox",
        "select dovecote.take_submission(gen_random_uuid())",
        "select dovecote.refuse_submission(gen_random_uuid(), '{}')",
        *DELETES,
    ],
    "Feedback": [
        "select dovecote.remove_payloads('{}')",
        "insert into notifications (notification_id) values (gen_random_uuid())",
        "select payload from notification_payloads",
        "select dovecote.unlist('{}')",
        "select address from notification_routes",
        "select token from push_devices",
        "update push_devices set endpoint = 'x'",
        "delete from email_deliveries",
        "select from suppressions",
        "insert into suppressions (person_hash, reason) values ('', 'manual')",
        "select from channel_state",
        "select from inbox",
        "select from user_routes",
        "select from address_routes",
        "update notification_payloads set payload = ''",
        *DELETES,
    ],
    "Purge": [
        "insert into notifications (notification_id) values (gen_random_uuid())",
        "update notification_payloads set payload = ''",
        "update notification_routes set status = 'pending'",
        "select payload from notification_payloads",
        "select address from notification_routes",
        "select error from notification_dead_letters",
        "select payload from inbox",
        "update inbox set payload = ''",
        "select who from redrives",
        "select published from minutes",
        "delete from push_devices",
        "select from push_devices",
        "select from suppressions",
        "select from user_routes",
        "select from address_routes",
    ],
}
REFUSED_TO_ALL = [
    "update minutes set published = 0",
    "delete from user_routes",
    "delete from address_routes",
    "update user_routes set user_id = 'x'",
    "update address_routes set address_hash = ''",
    "truncate notification_routes",
    "create table dovecote.mine ()",
    "alter table notification_routes add column mine text",
    "drop table notification_dead_letters",
    "create index on notification_routes (created_at)",
    "select from schema_migrations",
    "create role mine",
]


@each_function
def test_a_user_is_refused_what_its_function_does_not_do(
    connection: Connection, users: dict[str, str], function: str
) -> None:
    for query in REFUSED[function] + REFUSED_TO_ALL:
        with pytest.raises(errors.InsufficientPrivilege), acting(connection, users[function]):
            connection.execute(query.encode())


# How they come to be.


def settings_of(connection: Connection, user: str) -> set[str]:
    found = connection.execute(
        "select unnest(setconfig) from pg_db_role_setting"
        " where setrole = %s::regrole and setdatabase ="
        " (select oid from pg_database where datname = current_database())",
        (user,),
    )
    return {setting for (setting,) in found}


def test_a_user_who_logs_in_has_the_settings_that_statements_rely_on(
    connection: Connection, users: dict[str, str], database_url: str
) -> None:
    names = ("search_path", "random_page_cost", "lock_timeout", "statement_timeout")
    with psycopg.connect(as_user(connection, database_url, users["Submit"])) as own:
        assert [own.execute(f"show {name}".encode()).fetchone() for name in names] == [
            ("pg_catalog, dovecote, pg_temp",), ("1.1",), ("2s",), ("4s",),
        ]  # fmt: skip
    owner = connection.info.user
    for user in users.values():
        assert settings_of(connection, user) == settings_of(connection, owner)


def test_a_user_may_log_in_where_not_everybody_may(
    connection: Connection, names: dict[str, str], database_url: str
) -> None:
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("revoke connect on database {} from public").format(database))
    make_users(connection, names)
    with psycopg.connect(as_user(connection, database_url, names["Api"])) as own:
        assert own.execute("select count(*) from push_devices").fetchone() == (0,)


def test_making_them_again_changes_nothing(connection: Connection, users: dict[str, str]) -> None:
    before = [privileges(connection, user) for user in users.values()]
    make_users(connection, users)
    assert [privileges(connection, user) for user in users.values()] == before


def test_what_an_older_release_granted_is_taken_back(
    connection: Connection, users: dict[str, str]
) -> None:
    user = sql.Identifier(users["Feedback"])
    before = privileges(connection, users["Feedback"])
    connection.execute(
        sql.SQL(
            "grant delete, select on dovecote.notification_payloads to {0};"
            " grant update (payload) on dovecote.notification_payloads to {0};"
            " grant create on schema dovecote to {0}"
        ).format(user)
    )
    make_users(connection, users)
    assert privileges(connection, users["Feedback"]) == before
    with pytest.raises(errors.InsufficientPrivilege), acting(connection, users["Feedback"]):
        connection.execute("create table dovecote.mine ()")


def test_running_functions_see_no_gap_while_grants_are_made_anew(
    connection: Connection, users: dict[str, str], database_url: str
) -> None:
    url = as_user(connection, database_url, users["Dispatch"])
    done, refused, asked = threading.Event(), [], 0

    def ask() -> None:
        nonlocal asked
        with psycopg.connect(url, autocommit=True) as own:
            while not done.is_set():
                try:
                    own.execute("select kind from notifications")
                except errors.InsufficientPrivilege as error:
                    refused.append(error)
                asked += 1

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(20):
        make_users(connection, users)
    done.set()
    thread.join()
    assert asked > 0
    assert refused == []


def test_one_user_may_serve_more_than_one_function(
    connection: Connection, names: dict[str, str]
) -> None:
    one = names["Submit"]
    make_users(connection, dict.fromkeys(FUNCTIONS, one))
    with acting(connection, one):
        for name in set().union(*RUNS.values()):
            plan(connection, name)


def test_a_name_is_an_identifier_whatever_it_says(connection: Connection) -> None:
    name = f'Ann"; drop schema dovecote; -- {{user}} %s {uuid.uuid4().hex[:8]}'
    try:
        make_users(connection, {"Submit": name})
        with acting(connection, name):
            plan(connection, "submit/submit")
    finally:
        role = sql.Identifier(name)
        connection.execute(sql.SQL("drop owned by {0}; drop role {0}").format(role))


@pytest.mark.parametrize(
    ("function", "user", "words"),
    [
        (
            "Sumbit",
            "ann",
            "Users: Sumbit: must be one of: Api, Dispatch, Feedback, Purge, Submit, Producer",
        ),
        ("Provision", "ann", "Users: Provision: must be one of:"),
        ("Submit", "", "Users: Submit: the name must have 1 to 63 bytes"),
        ("Submit", "ä" * MOST_BYTES, "Users: Submit: the name must have 1 to 63 bytes"),
    ],
)
def test_users_that_cannot_be_are_refused_in_words(
    connection: Connection, function: str, user: str, words: str
) -> None:
    with pytest.raises(BadUsers, match=re.escape(words)):
        make_users(connection, {function: user})


def test_the_owner_keeps_its_rights(connection: Connection) -> None:
    owner = connection.info.user
    with pytest.raises(BadUsers, match=f"Submit: must not be {owner}, the owner of the tables"):
        make_users(connection, {"Submit": owner})


def test_a_role_that_is_there_can_log_in_after_it(
    connection: Connection, names: dict[str, str]
) -> None:
    connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(names["Api"])))
    make_users(connection, {"Api": names["Api"]})
    login = connection.execute(
        "select rolcanlogin from pg_roles where rolname = %s", (names["Api"],)
    )
    assert login.fetchone() == (True,)


def test_every_function_has_its_grants_and_no_file_is_left_over() -> None:
    store = Path(__file__).parents[2] / "layers" / "dovecote" / "dovecote" / "store"
    folder = store / "schema" / "grants"
    assert {path.stem.title() for path in folder.iterdir()} == {*FUNCTIONS, PRODUCER}
    assert all(
        grants(function).startswith(f"-- What functions/{function.lower()} may do")
        for function in FUNCTIONS
    )


# As on Aurora: the owner is no superuser, and there is a role rds_iam.


@pytest.fixture
def aurora(server_url: str) -> Iterator[str]:
    """The URL of a database whose owner is what the master user of Aurora is."""
    name = f"aurora_{uuid.uuid4().hex[:8]}"
    parts = {"name": sql.Identifier(name)}
    target = urlsplit(named(server_url, name))
    place = target.netloc.rpartition("@")[2]
    with psycopg.connect(server_url, autocommit=True) as admin:
        for text in (
            "create role rds_iam",
            "create role rds_superuser",
            "grant rds_iam to rds_superuser with admin option",
            "create role {name} login createrole nosuperuser password 'of-a-test'",
            "grant rds_superuser to {name}",
            "create database {name} owner {name}",
        ):
            admin.execute(sql.SQL(text).format(**parts))
        yield urlunsplit(target._replace(netloc=f"{name}:of-a-test@{place}"))
        drop_database(server_url, name)
        for text in ("drop role {name}", "drop role rds_superuser", "drop role rds_iam"):
            admin.execute(sql.SQL(text).format(**parts))


@pytest.fixture
def others(aurora: str, server_url: str) -> Iterator[dict[str, str]]:
    """The users of the functions there."""
    with users_of(named(server_url, urlsplit(aurora).path.strip("/"))) as given:
        yield given


def is_iam(connection: Connection, user: str) -> bool:
    found = connection.execute(
        "select from pg_auth_members where roleid = 'rds_iam'::regrole and member = %s::regrole",
        (user,),
    )
    return found.rowcount > 0


def test_an_owner_who_is_no_superuser_makes_them_as_on_aurora(
    aurora: str, others: dict[str, str], server_url: str
) -> None:
    with psycopg.connect(aurora, autocommit=True) as owner:
        migrate_with(owner, known())
        for _ in range(2):
            make_users(owner, others)
        database = owner.info.dbname
    with psycopg.connect(named(server_url, database), autocommit=True) as admin:
        for function, user in others.items():
            assert is_iam(admin, user)
            assert can_run(admin, user, function)


def test_an_owner_who_may_not_make_users_is_told_so_with_the_user_s_name(
    aurora: str, others: dict[str, str], server_url: str
) -> None:
    name = urlsplit(aurora).username or ""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(sql.SQL("alter role {} nocreaterole").format(sql.Identifier(name)))
    with psycopg.connect(aurora, autocommit=True) as owner:
        migrate_with(owner, known())
        with pytest.raises(errors.InsufficientPrivilege) as caught:
            make_users(owner, {"Submit": others["Submit"]})
    assert caught.value.__notes__ == [others["Submit"]]


@pytest.mark.timed
def test_databases_of_one_cluster_make_the_same_users_at_once(
    server_url: str, names: dict[str, str]
) -> None:
    databases = [f"dovecote_side_{uuid.uuid4().hex[:8]}" for _ in range(3)]
    failed: list[BaseException] = []

    def provision(url: str) -> None:
        try:
            with psycopg.connect(url, autocommit=True) as own:
                for _ in range(5):
                    make_users(own, names)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test says it
            failed.append(error)

    for database in databases:
        create_database(server_url, database)
        migrate(named(server_url, database))
    # Two for each: those of one database wait for each other.
    urls = [named(server_url, database) for database in databases] * 2
    threads = [threading.Thread(target=provision, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        drop_database(server_url, database)
    assert failed == []
