"""A role that may create in `public`, and in its own temporary schema, replaces nothing of ours.

Wherever a call has no exact match in pg_catalog, a function or operator that matches better wins,
if its schema is searched. The attacker here creates one for each function and operator that our
SQL uses, with many argument types, and tables and types with our names. Each raises an error when
it is called, and no role may execute it: PostgreSQL refuses a plan with it.
"""

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import errors, sql

from dovecote.core.errors import StoreFailed
from dovecote.store.schema.migrate import known, migrate
from dovecote.store.schema.roles import FUNCTIONS, make_users
from local.provider import Running
from tests.builders import ADDRESS, CHANNEL
from tests.conftest import create_database, drop_database, named
from tests.functions import Functions
from tests.integration.test_roles import RUNS, acting, as_user, names, plan, users, users_of
from tests.integration.test_submit_in_sql import producer, submit, wired
from tests.sending import EVENTS, a_body, channel_body

Connection = psycopg.Connection[Any]
__all__ = ["names", "producer", "users", "wired"]

PINNED = "search_path=pg_catalog, dovecote, pg_temp"
STORE = Path(__file__).parents[2] / "layers" / "dovecote" / "dovecote" / "store"
OUR_SQL = "\n".join(
    path.read_text("utf-8") for path in STORE.rglob("*") if path.suffix in (".sql", ".py")
)
CALLED = sorted(set(re.findall(r"\b([a-z_0-9]+)\(", OUR_SQL)))
TYPES = (
    "text", "varchar", "name", "json", "jsonb", "uuid", "bytea", "boolean", "smallint", "integer",
    "bigint", "numeric", "double precision", "timestamptz", "timestamp", "interval", "text[]",
    "uuid[]", "regclass",
)  # fmt: skip
OPERATORS = (
    "=", "<>", "<", "<=", ">", ">=", "||", "+", "-", "*", "/", "~", "!~", "->", "->>", "#>>", "@>",
)  # fmt: skip

SHADOW = """
do $do$
declare
    called text; a text; b text; symbol text;
    make constant text := 'create function public.%I(%s) returns %s language plpgsql as '
        '$$ begin raise exception ''a function of the attacker was called''; end $$';
begin
    foreach a in array {types}::text[] loop
        for called in
            select distinct proname from pg_catalog.pg_proc
            where pronamespace = 'pg_catalog'::regnamespace and proname = any ({called})
        loop
            execute format(make, called, a, 'text');
            foreach b in array {types}::text[] loop
                execute format(make, called, a || ', ' || b, 'text');
            end loop;
        end loop;
        foreach b in array {types}::text[] loop
            execute format(make, 'trip', a || ', ' || b, 'boolean');
            foreach symbol in array {operators}::text[] loop
                execute format(
                    'create operator public.%s'
                    ' (function = public.trip, leftarg = %s, rightarg = %s)', symbol, a, b);
            end loop;
        end loop;
    end loop;
    revoke execute on all functions in schema public from public;
end $do$
"""


def shadow(attacker: Connection) -> None:
    """Create all of it in `public`."""
    lists = {"called": CALLED, "types": TYPES, "operators": OPERATORS}
    with attacker.transaction():
        given = {name: sql.Literal(list(values)) for name, values in lists.items()}
        attacker.execute(sql.SQL(SHADOW).format(**given))
        tables = re.findall(r"create (?:table|view) dovecote\.(\w+)", OUR_SQL)
        for table in sorted(set(tables)):
            attacker.execute(f"create table public.{table} (wrong text)".encode())
        for kind in ("uuid", "text", "timestamptz", "json", "integer"):
            attacker.execute(f'create domain public."{kind}" as boolean'.encode())


@contextmanager
def an_attacker(url: str) -> Iterator[Connection]:
    """Yield the connection of a user who may create in `public` and nothing more."""
    name = f"attacker_{uuid.uuid4().hex[:8]}"
    role = sql.Identifier(name)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login").format(role))
        admin.execute(sql.SQL("grant create on schema public to {}").format(role))
        with psycopg.connect(as_user(admin, url, name), autocommit=True) as own:
            yield own


@contextmanager
def a_shadowed_template(server_url: str, template: str) -> Iterator[str]:
    """Yield the name of a copy of a database in which all is shadowed."""
    name = f"dovecote_shadowed_{uuid.uuid4().hex[:8]}"
    create_database(server_url, name, template)
    with an_attacker(named(server_url, name)) as attacker:
        shadow(attacker)
        role = attacker.info.user
    yield name
    drop_database(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


@contextmanager
def a_copy(server_url: str, template: str) -> Iterator[str]:
    name = f"dovecote_shadowed_{uuid.uuid4().hex[:8]}"
    create_database(server_url, name, template)
    yield named(server_url, name)
    drop_database(server_url, name)


@pytest.fixture(scope="module")
def shadowed_template(server_url: str, template: str) -> Iterator[str]:
    with a_shadowed_template(server_url, template) as name:
        yield name


@pytest.fixture(scope="module")
def shadowed_empty_template(server_url: str) -> Iterator[str]:
    with a_shadowed_template(server_url, "template1") as name:
        yield name


@pytest.fixture
def database_url(server_url: str, shadowed_template: str) -> Iterator[str]:
    """A migrated database in which all is shadowed, in place of the usual one."""
    with a_copy(server_url, shadowed_template) as url:
        assert migrate(url) == []  # a clone lacks the template's role settings
        yield url


@pytest.fixture
def empty_shadowed_url(server_url: str, shadowed_empty_template: str) -> Iterator[str]:
    with a_copy(server_url, shadowed_empty_template) as url:
        yield url


def test_the_attacker_is_called_where_public_is_searched(
    connection: Connection,
) -> None:
    """Without this the other tests would say nothing."""
    connection.execute("set search_path = dovecote, public")
    for query in (
        "select starts_with('a'::varchar, 'b'::varchar)",
        "select lower('A'::varchar)",
        "select 'x'::text || 1::smallint",
        "select interval '1 day' * 2::smallint",
    ):
        with pytest.raises(errors.RaiseException):
            connection.execute(query.encode())


def test_all_that_our_sql_calls_is_shadowed(connection: Connection) -> None:
    found = connection.execute(
        "select proname from pg_proc where pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(found) > 10_000
    assert {("lower",), ("make_interval",), ("sha256",), ("json_agg",), ("trip",)} <= set(found)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_statement_of_a_function_uses_anything_of_the_attacker(
    connection: Connection,
    users: dict[str, str],
    database_url: str,
    function: str,
) -> None:
    with psycopg.connect(as_user(connection, database_url, users[function])) as own:
        assert own.execute("show search_path").fetchone() == ("pg_catalog, dovecote, pg_temp",)
        for name in sorted(RUNS[function]):
            plan(own, name)


def test_the_functions_do_their_work_beside_the_attacker(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    posted = functions.post(a_body())
    assert posted.status == 202
    body = channel_body(idempotency_key="later", deliver_at="2099-01-01T00:00:00Z")
    later = functions.post(body)
    assert later.status == 202
    submit(connection, idempotency_key="in SQL")
    submit(connection, idempotency_key="refused", recipients=[{"user_id": 1}])
    pending = submit(connection, idempotency_key="pending")[0]
    assert functions.call("GET", f"/notifications/{pending}").status == 200
    run = functions.expand()
    assert (run["expanded"], run["refused"]) == (1, 1)
    functions.dispatch()
    bodies = [json.dumps(event) for event in provider.provider.events or [EVENTS[CHANNEL]]]
    assert functions.feedback(*bodies) == {"batchItemFailures": []}
    device = {"user_id": "u-1", "device_session_id": "phone", "platform": "fcm", "token": "x"}
    functions.call("PUT", "/devices", json.dumps(device).encode())
    for method, path in (
        ("GET", f"/notifications/{posted.body['notification_id']}"),
        ("GET", f"/notifications?email={quote(ADDRESS)}"),
        ("GET", "/notifications?user_id=u-1"),
        ("GET", "/dead-letters"),
        ("GET", "/redrives"),
        ("GET", "/refused"),
        ("GET", "/overview"),
        ("GET", "/devices?user_id=u-1"),
        ("DELETE", f"/notifications/{later.body['notification_id']}"),
        ("DELETE", "/users?user_id=u-1"),
    ):
        assert functions.call(method, path).status < 300, (method, path)
    functions.purge()
    published = connection.execute(
        "select distinct status from dovecote.notification_routes where channel = %s", (CHANNEL,)
    )
    assert set(published.fetchall()) == {("published",), ("cancelled",)}


def test_a_submit_in_sql_calls_nothing_of_its_caller(
    producer: Connection, connection: Connection
) -> None:
    """The caller's search_path, its own schema and its temporary tables are not looked at."""
    connection.execute("grant usage, create on schema public to public")
    producer.execute("create temporary table inbox (kind text)")
    producer.execute("create temporary table notifications (kind text)")
    producer.execute("create domain pg_temp.uuid as boolean")
    producer.execute("set search_path = public, pg_temp, shop, pg_catalog")
    told = {name: json.dumps(value) for name, value in a_body().items()}
    producer.execute(
        "select pg_catalog.count(*) from dovecote.submit("
        " 'order.shipped', 'a-key', %(payload)s::pg_catalog.json, %(recipients)s::pg_catalog.json)",
        told,
    )
    producer.execute("set search_path = pg_catalog")
    assert submit(producer, idempotency_key="another")[2] is False
    assert connection.execute("select count(*) from dovecote.notifications").fetchone() == (2,)


def test_provision_calls_nothing_of_the_attacker_and_nothing_depends_on_it(
    empty_shadowed_url: str,
) -> None:
    """As the superuser who runs make migrate."""
    url = empty_shadowed_url
    with users_of(url) as names, psycopg.connect(url, autocommit=True) as owner:
        assert len(migrate(url)) == len(known())
        make_users(owner, {name: names[name] for name in FUNCTIONS})
        assert _foreign(owner) == []
        assert migrate(url) == []


def _foreign(owner: Connection) -> list[Any]:
    """Return what an object of ours depends on that is neither ours nor PostgreSQL's."""
    return owner.execute(
        "select distinct pg_describe_object(d.classid, d.objid, 0),"
        "  pg_describe_object(d.refclassid, d.refobjid, 0)"
        " from pg_depend d"
        " cross join lateral pg_identify_object(d.classid, d.objid, 0) ours"
        " cross join lateral pg_identify_object(d.refclassid, d.refobjid, 0) theirs"
        " where d.classid <> 0 and ours.schema = 'dovecote' and theirs.schema = 'public'"
    ).fetchall()


# What is pinned.


def test_every_function_has_a_search_path_or_a_body_without_names(connection: Connection) -> None:
    rows = connection.execute(
        "select proname, prosecdef, prosqlbody is not null, coalesce(proconfig, '{}')"
        " from pg_proc where pronamespace = 'dovecote'::regnamespace"
    ).fetchall()
    assert len(rows) > 10
    for name, definer, parsed, settings in rows:
        assert PINNED in settings or (parsed and not definer), name


def test_no_role_of_ours_searches_another_schema(
    connection: Connection, users: dict[str, str]
) -> None:
    found = connection.execute(
        "select setrole::regrole::text, setting"
        " from pg_db_role_setting, unnest(setconfig) as setting"
        " where setting like 'search_path=%' and setdatabase = ("
        "  select oid from pg_database where datname = current_database())"
    ).fetchall()
    assert {setting for _, setting in found} == {PINNED}
    assert len(found) == 1 + len(users)


def test_nobody_else_may_create_in_the_schema(
    connection: Connection, users: dict[str, str]
) -> None:
    for user in users.values():
        with pytest.raises(errors.InsufficientPrivilege), acting(connection, user):
            connection.execute(
                "create function dovecote.lower(varchar) returns text language sql return 'x'"
            )


@pytest.mark.parametrize(
    "arrangement",
    [
        "create schema dovecote authorization {}",
        "create schema dovecote; grant create on schema dovecote to {}",
        "create schema dovecote; grant all on schema dovecote to public",
    ],
)
def test_a_schema_in_which_another_role_may_create_is_refused(
    empty_database_url: str, arrangement: str
) -> None:
    with (
        an_attacker(empty_database_url) as attacker,
        psycopg.connect(empty_database_url, autocommit=True) as owner,
    ):
        role = sql.Identifier(attacker.info.user)
        owner.execute(sql.SQL(arrangement).format(role))
        with pytest.raises(StoreFailed, match="may create in it, or owns it") as refused:
            migrate(empty_database_url)
        assert ("public" if "to public" in arrangement else attacker.info.user) in str(
            refused.value
        )
        owner.execute(
            sql.SQL(
                "alter schema dovecote owner to current_user;"
                " revoke create on schema dovecote from {}, public"
            ).format(role)
        )
        assert len(migrate(empty_database_url)) == len(known())
        owner.execute(sql.SQL("drop owned by {0}; drop role {0}").format(role))
