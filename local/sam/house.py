"""The house: the database and the provider that the containers work with.

Layout of its directory: `postgres`, `provider.jsonl`, `orders.json`, `env.json` for --env-vars,
`house.json` while it is open, and `lock`, which is held by the process that has it open. A second
process, a `make invoke-…` next to `make sam-api`, joins that house.

PostgreSQL listens on 127.0.0.1, and on the bridge for one role. Containers come as `dovecote`, who
owns its database and nothing else; a superuser that everyone on the bridge may be could run
programs on this machine.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from dovecote.store.schema.migrate import migrate
from local import LocalError, locked
from local.playground import SETTINGS, push_targets
from local.postgres import Server
from local.provider import Journal, Provider
from local.sam import docker
from local.sam.docker import Bridge
from local.sam.provider import recall, remember, served
from local.template import LOCAL_SECRET

NAME = "dovecote"
HOST = "host.docker.internal"
# A container's first call spends seconds of the budget on imports; no setting allows more.
INLINE_BUDGET_SECONDS = "8"


@dataclass(frozen=True, kw_only=True)
class House:
    """An open house, as this machine reaches it."""

    directory: str
    database_url: str
    provider_url: str
    joined: bool = False

    @property
    def env_file(self) -> Path:
        """Return the file for sam's --env-vars."""
        return Path(self.directory, "env.json")


@contextmanager
def house(directory: Path, *, durable: bool = True) -> Iterator[House]:
    """Open the house in a directory, or join it where another process has it open."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if locked(lock):
            with _opened(directory, durable=durable) as opened:
                yield opened
        else:
            yield _joined(directory / "house.json")
    finally:
        os.close(lock)


@contextmanager
def _opened(directory: Path, *, durable: bool) -> Iterator[House]:
    bridge = docker.bridge()
    sign, saved_orders = directory / "house.json", directory / "orders.json"
    sign.unlink(missing_ok=True)
    docker.remove(*directory.glob("*.log"))  # of a sam that was killed
    provider = Provider()
    recall(provider, saved_orders)
    with (
        Journal(directory / "provider.jsonl", provider),
        database(directory / "postgres", bridge, durable=durable) as (url, container_url),
        served(provider, bridge) as port,
    ):
        opened = House(
            directory=str(directory.absolute()),
            database_url=url,
            provider_url=f"http://127.0.0.1:{port}",
        )
        environment = _environment(container_url, port, push_targets(provider, "dovecote-sam"))
        _write(opened.env_file, environment)
        sign.write_text(json.dumps(asdict(opened)))
        try:
            yield opened
        finally:
            sign.unlink()
            remember(provider, saved_orders)


def _joined(sign: Path) -> House:
    try:
        return House(**{**json.loads(sign.read_text()), "joined": True})
    except (FileNotFoundError, ValueError):
        raise LocalError(
            f"another process is opening or closing {sign.parent}: try again in a moment"
        ) from None


def _environment(database_url: str, port: int, targets: dict[str, str]) -> dict[str, str]:
    return {
        **SETTINGS,
        **targets,
        "INLINE_BUDGET_SECONDS": INLINE_BUDGET_SECONDS,
        "PERSON_HASH_KEY": LOCAL_SECRET,
        "DATABASE_URL": database_url,
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        # There is no Lambda behind that endpoint.
        "DISPATCH_FUNCTION": "",
        "SUBMIT_FUNCTION": "",
    }


def _write(path: Path, environment: dict[str, str]) -> None:
    """Write the variables for all functions; the file holds the database's password."""
    path.touch(mode=0o600)
    path.write_text(json.dumps({"Parameters": environment}, indent=1))


@contextmanager
def database(directory: Path, bridge: Bridge | None, *, durable: bool) -> Iterator[tuple[str, str]]:
    """Run PostgreSQL in a directory, with Dovecote's role, database and schema.

    Gives the URL for this machine, and the one for containers, which holds the password.
    """
    # Where there is no bridge, containers reach 127.0.0.1 by the name of the host.
    addresses = "127.0.0.1" if bridge is None else f"127.0.0.1,{bridge.gateway}"
    access = [f"host {NAME} {NAME} {bridge.subnet} scram-sha-256"] if bridge is not None else []
    settings = {"listen_addresses": addresses}
    with Server(directory, settings=settings, access=access, durable=durable) as server:
        _prepare(server)
        password = server.let_in(NAME)
        url = server.url(NAME, user=NAME)
        migrate(url)
        inside = f"postgresql://{NAME}:{password}@{HOST}:{server.port}/{NAME}"
        yield url, inside


def newest_notification(url: str) -> str | None:
    """Return the id of the notification that was stored last."""
    statement = (
        "select notification_id::text from dovecote.notifications order by created_at desc limit 1"
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return None if row is None else str(row[0])


def _prepare(server: Server) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        if admin.execute("select from pg_roles where rolname = %s", [NAME]).rowcount == 0:
            admin.execute(sql.SQL("create role {} login").format(sql.Identifier(NAME)))
    server.create_database(NAME, owner=NAME)
