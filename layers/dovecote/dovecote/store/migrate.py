"""Bring a database to the newest schema: forward-only numbered files, each in a transaction.

A database that is ahead of the known files is success: the release before keeps running while a
newer one is rolled out, and after it was rolled back.
"""

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import sql

from dovecote.core.errors import StoreFailed
from dovecote.store.database import Connection

LOCK = 7_061_993_141
"""The advisory lock that lets one migration run at a time; any constant of our own will do."""

ROLLBACK_SECONDS = 1.0
"""How long before its client the server gives up, so that it can still say so."""

ROLE_SETTINGS = (
    # Tables are found without their schema. No schema is searched in which a producer may create: a
    # function, operator or type there could match better than PostgreSQL's own.
    "search_path = pg_catalog, dovecote, pg_temp",
    # Random reads cost what they do on SSDs and on Aurora: at the default of 4 an update by id
    # scans a table that the planner believes is empty.
    "random_page_cost = 1.1",
    # A submit waits for another one of the same key, and all for a migration; a statement that is
    # stuck is a 503 within 5 s. Of the role, and not of a session: RDS Proxy would pin that.
    "lock_timeout = '2s'",
    "statement_timeout = '4s'",
    # A worker that was frozen or cut off inside a transaction holds its locks no longer.
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
"""Who may create in the schema and is neither this role, a superuser nor the database's owner."""


class ChangedMigration(Exception):
    """A file that this database has applied reads differently now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the file, by which a later change is noticed."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def known() -> list[Migration]:
    """Return the migrations of this release in order."""
    return sorted(_files(), key=lambda migration: migration.version)


def migrate(url: str) -> list[str]:
    """Apply what the database lacks; return the names of the files that were applied.

    Raises ChangedMigration where an applied file has changed since.
    """
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        return migrate_with(connection, known())


def migrate_with(connection: psycopg.Connection, migrations: list[Migration]) -> list[str]:
    """Apply migrations on an open autocommit connection, alone by an advisory lock.

    An error of PostgreSQL has the name of the file in its notes. Raises StoreFailed where a role
    that is not trusted may create in the schema.
    """
    with alone(connection):
        connection.execute(_LEDGER)
        _refuse_strangers(connection)
        tune_role(connection, connection.info.user)
        applied = _applied(connection)
        missing = [m for m in migrations if not _is_applied(m, applied)]
        for migration in missing:
            _apply(connection, migration)
    return [migration.name for migration in missing]


@contextmanager
def alone(connection: psycopg.Connection) -> Iterator[None]:
    """Hold the advisory lock of this database for as long as the context lasts."""
    _bound(connection)
    connection.execute("select pg_advisory_lock(%s)", (LOCK,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", (LOCK,))


def tune_role(connection: psycopg.Connection, role: str) -> None:
    """Set, for a role in this database, what every statement of Dovecote relies on."""
    for setting in ROLE_SETTINGS:
        connection.execute(
            sql.SQL("alter role {} in database {} set " + setting).format(
                sql.Identifier(role), sql.Identifier(connection.info.dbname)
            )
        )


def _refuse_strangers(connection: psycopg.Connection) -> None:
    """Refuse a schema in which others may create: what they put there would run as this role."""
    with connection.transaction():
        connection.execute("set local search_path = pg_catalog, pg_temp")
        strangers = [str(name) for (name,) in connection.execute(_STRANGERS)]
    if strangers:
        raise StoreFailed(
            f"schema dovecote: {', '.join(strangers)} may create in it, or owns it: revoke create"
            f" on schema dovecote, or alter schema dovecote owner to {connection.info.user}"
        )


def newest(connection: psycopg.Connection) -> int:
    """Return the version of a migrated database: it may be ahead of the known files."""
    return max(_applied(connection))


def _bound(connection: psycopg.Connection) -> None:
    """Let statements of this session take what is left of its deadline, or as long as they like.

    A migration may build an index over all routes, and waits for the one before it. The role of a
    first migration has no settings yet.
    """
    deadline = connection.deadline if isinstance(connection, Connection) else math.inf
    left = deadline - time.monotonic() - ROLLBACK_SECONDS
    milliseconds = max(1, int(left * 1000)) if left < math.inf else 0
    connection.execute(
        sql.SQL(
            "set search_path = pg_catalog, dovecote, pg_temp; set statement_timeout = {};"
            " set lock_timeout = 0"
        ).format(milliseconds)
    )


def _files() -> Iterator[Migration]:
    for file in files("dovecote.store").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            version = int(file.name.partition("_")[0])
            yield Migration(version=version, name=file.name, text=file.read_text("utf-8"))


def _applied(connection: psycopg.Connection) -> dict[int, str]:
    return dict(
        connection.execute("select version, checksum from dovecote.schema_migrations").fetchall()
    )


def _is_applied(migration: Migration, applied: dict[int, str]) -> bool:
    checksum = applied.get(migration.version)
    if checksum is not None and checksum != migration.checksum:
        raise ChangedMigration(f"{migration.name} was changed after it had been applied")
    return checksum is not None


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    _bound(connection)
    try:
        with connection.transaction():
            connection.execute(migration.text.encode())
            connection.execute(
                "insert into dovecote.schema_migrations (version, name, checksum)"
                " values (%s, %s, %s)",
                (migration.version, migration.name, migration.checksum),
            )
    except psycopg.Error as error:
        error.add_note(migration.name)
        raise
