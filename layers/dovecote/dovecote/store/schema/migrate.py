"""Bring a database to the newest schema by forward-only numbered files.

The same run registers the channels.

A database that is ahead of the known files is success: the previous release keeps running while a
newer one is rolled out, and after it was rolled back.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import sql

from dovecote import channels
from dovecote.core.errors import StoreFailed
from dovecote.store.schema.applying import apply, bound
from dovecote.store.schema.registration import register

LOCK = 7_061_993_141
"""The advisory lock that lets one migration run at a time; the number is arbitrary."""

ROLE_SETTINGS = (
    # Statements name tables without a schema. The path has no schema in which a producer may create
    # objects: a function, operator or type there could match better than PostgreSQL's own.
    "search_path = pg_catalog, dovecote, pg_temp",
    # The cost of a random read on SSDs and Aurora. At the default of 4 an update by id scans a
    # table that the planner believes is empty.
    "random_page_cost = 1.1",
    # A submit waits for another one with the same key, and every statement for a migration. A stuck
    # statement becomes a 503 within 5 s. Set for the role: RDS Proxy would pin a session.
    "lock_timeout = '2s'",
    "statement_timeout = '4s'",
    # Ends the locks of a worker that was frozen or disconnected inside a transaction.
    "idle_in_transaction_session_timeout = '10s'",
)

_LEDGER = """
create schema if not exists dovecote;
create table if not exists dovecote.schema_migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default clock_timestamp()
)
"""


_STRANGERS = """
select coalesce(quote_ident(role.rolname), 'public')
from pg_namespace
cross join lateral (
    select nspowner as who
    union
    select grantee from aclexplode(nspacl) where privilege_type = 'CREATE'
) may_create
left join pg_roles role on role.oid = who
where nspname = 'dovecote'
  and not coalesce(role.rolsuper or role.rolname = current_user or role.oid = (
      select datdba from pg_database where datname = current_database()
  ), false)
order by 1
"""
"""Roles that may create in the schema, except this role, superusers and the database's owner."""


Report = Callable[[str, int], None]


class ChangedMigration(Exception):
    """A file has changed since this database applied it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the file, which shows later changes."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def known() -> list[Migration]:
    """Return the migrations of this release in order."""
    folder = files("dovecote.store.schema").joinpath("migrations")
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    return [
        Migration(version=int(name.partition("_")[0]), name=name, text=text)
        for name, text in sorted(texts.items())
        if name.endswith(".sql")
    ]


def migrate(url: str) -> list[str]:
    """Apply the missing migrations and register the channels; return the names of the files.

    Raises ChangedMigration if an applied file has changed, and StoreFailed as `migrate_with` does.
    """
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        return migrate_with(connection, known())


def migrate_with(
    connection: psycopg.Connection, migrations: list[Migration], report: Report = lambda *_: None
) -> list[str]:
    """Apply migrations on an open autocommit connection, alone by an advisory lock.

    Then register the channels. `report` takes the name of a file and how many rows its repeated
    statement has changed so far. PostgreSQL's errors have the name of the file in their notes.
    Raises StoreFailed if an untrusted role may create in the schema, or if the number or name of a
    registered channel has changed.
    """
    with alone(connection):
        connection.execute(_LEDGER)
        _refuse_strangers(connection)
        tune_role(connection, connection.info.user)
        applied = _applied(connection)
        missing = [m for m in migrations if not _is_applied(m, applied)]
        for migration in missing:
            _apply(connection, migration, report)
        bound(connection)
        register(connection, channels.NUMBERS)
    return [migration.name for migration in missing]


@contextmanager
def alone(connection: psycopg.Connection) -> Iterator[None]:
    """Hold the advisory lock of this database in the context."""
    bound(connection)
    connection.execute("select pg_advisory_lock(%s)", (LOCK,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", (LOCK,))


def tune_role(connection: psycopg.Connection, role: str) -> None:
    """Set, for a role in this database, the settings that every statement of Dovecote relies on."""
    for setting in ROLE_SETTINGS:
        connection.execute(
            sql.SQL("alter role {} in database {} set " + setting).format(
                sql.Identifier(role), sql.Identifier(connection.info.dbname)
            )
        )


def _refuse_strangers(connection: psycopg.Connection) -> None:
    """Refuse a schema in which other roles may create: their objects would run as this role."""
    with connection.transaction():
        connection.execute("set local search_path = pg_catalog, pg_temp")
        strangers = [str(name) for (name,) in connection.execute(_STRANGERS)]
    if strangers:
        raise StoreFailed(
            f"schema dovecote: {', '.join(strangers)} may create in it, or owns it: revoke create"
            f" on schema dovecote, or alter schema dovecote owner to {connection.info.user}"
        )


def newest(connection: psycopg.Connection) -> int:
    """Return the version of a migrated database; it may be newer than the known files."""
    return max(_applied(connection))


def _applied(connection: psycopg.Connection) -> dict[int, str]:
    return dict(
        connection.execute("select version, checksum from dovecote.schema_migrations").fetchall()
    )


def _is_applied(migration: Migration, applied: dict[int, str]) -> bool:
    checksum = applied.get(migration.version)
    if checksum is not None and checksum != migration.checksum:
        raise ChangedMigration(f"{migration.name}: changed since it was applied; restore the file")
    return checksum is not None


def _apply(connection: psycopg.Connection, migration: Migration, report: Report) -> None:
    def record() -> None:
        connection.execute(
            "insert into dovecote.schema_migrations (version, name, checksum) values (%s, %s, %s)",
            (migration.version, migration.name, migration.checksum),
        )

    try:
        apply(connection, migration.text, record, lambda rows: report(migration.name, rows))
    except psycopg.Error as error:
        error.add_note(migration.name)
        raise
