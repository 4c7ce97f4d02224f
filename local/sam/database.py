"""PostgreSQL for containers: on 127.0.0.1 as ever, and on the bridge for one role.

Containers come as `dovecote`, who owns its database and nothing else; a superuser that everyone on
the bridge may be could run programs on this machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from dovecote.store.schema.migrate import migrate
from dovecote.store.schema.provision import publish
from dovecote.wiring import provision
from dovecote.wiring.settings import from_environment
from local.postgres import Server
from local.sam import ROOT
from local.sam.docker import Bridge

NAME = "dovecote"
HOST = "host.docker.internal"
CATALOG = ROOT / "layers" / "catalog" / "catalog"


@dataclass(frozen=True, kw_only=True)
class Database:
    """One migrated database by its two URLs."""

    url: str  # for this machine
    container_url: str  # for containers, with the password


@contextmanager
def running(directory: Path, bridge: Bridge | None, *, durable: bool) -> Iterator[Database]:
    """Run PostgreSQL in a directory, with Dovecote's role, database and schema."""
    settings = {"listen_addresses": _addresses(bridge)}
    with Server(directory, settings=settings, access=_access(bridge), durable=durable) as server:
        _prepare(server)
        password = server.let_in(NAME)
        url = server.url(NAME, user=NAME)
        migrate(url)
        inside = f"postgresql://{NAME}:{password}@{HOST}:{server.port}/{NAME}"
        yield Database(url=url, container_url=inside)


def publish_catalog(base: Database, environment: Mapping[str, str]) -> None:
    """Publish the catalog, for submits in SQL, under the settings that the containers have."""
    settings = from_environment({**environment, "CATALOG_PATH": str(CATALOG)})
    with psycopg.connect(base.url, autocommit=True) as connection:
        publish(connection, provision.publication(settings))


def newest_notification(url: str) -> str | None:
    """Return the id of the notification that was stored last."""
    statement = (
        "select notification_id::text from dovecote.notifications order by created_at desc limit 1"
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return None if row is None else str(row[0])


def _addresses(bridge: Bridge | None) -> str:
    return "127.0.0.1" if bridge is None else f"127.0.0.1,{bridge.gateway}"


def _access(bridge: Bridge | None) -> Sequence[str]:
    return () if bridge is None else (f"host {NAME} {NAME} {bridge.subnet} scram-sha-256",)


def _prepare(server: Server) -> None:
    name = sql.Identifier(NAME)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        if admin.execute("select from pg_roles where rolname = %s", [NAME]).rowcount == 0:
            admin.execute(sql.SQL("create role {} login").format(name))
        if not server.has_database(NAME):
            admin.execute(sql.SQL("create database {} owner {}").format(name, name))
