"""The house: the database and the provider that the containers work with.

Layout of its directory: `postgres`, `provider.jsonl`, `orders.json`, `env.json` for --env-vars,
`house.json` while it is open, and `lock`, which is held by the process that has it open. A second
process, a `make invoke-…` beside `make sam-api`, joins that house.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from local.playground import SETTINGS, push_targets
from local.provider import Journal, Provider
from local.sam import database, docker, orders
from local.sam.errors import SamError
from local.sam.serving import served

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
        if _taken(lock):
            yield _joined(directory / "house.json")
        else:
            with _opened(directory, durable=durable) as opened:
                yield opened
    finally:
        os.close(lock)


@contextmanager
def _opened(directory: Path, *, durable: bool) -> Iterator[House]:
    bridge = docker.bridge()
    sign, saved_orders = directory / "house.json", directory / "orders.json"
    sign.unlink(missing_ok=True)
    docker.remove(*directory.glob("*.log"))  # of a sam that was killed
    provider = Provider()
    orders.recall(provider, saved_orders)
    with (
        Journal(directory / "provider.jsonl", provider),
        database.running(directory / "postgres", bridge, durable=durable) as base,
        served(provider, bridge) as port,
    ):
        opened = House(
            directory=str(directory.absolute()),
            database_url=base.url,
            provider_url=f"http://127.0.0.1:{port}",
        )
        environment = _environment(base, port, push_targets(provider, "dovecote-sam"))
        _write(opened.env_file, environment)
        database.publish_catalog(base, environment)
        sign.write_text(json.dumps(asdict(opened)))
        try:
            yield opened
        finally:
            sign.unlink()
            orders.remember(provider, saved_orders)


def _taken(lock: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    return True


def _joined(sign: Path) -> House:
    try:
        return House(**{**json.loads(sign.read_text()), "joined": True})
    except (FileNotFoundError, ValueError):
        raise SamError(
            f"another process is opening or closing {sign.parent}: try again in a moment"
        ) from None


def _environment(base: database.Database, port: int, targets: dict[str, str]) -> dict[str, str]:
    return {
        **SETTINGS,
        **targets,
        "INLINE_BUDGET_SECONDS": INLINE_BUDGET_SECONDS,
        "DATABASE_URL": base.container_url,
        "AWS_ENDPOINT_URL": f"http://{database.HOST}:{port}",
        # There is no Lambda behind that endpoint.
        "DISPATCH_FUNCTION": "",
    }


def _write(path: Path, environment: dict[str, str]) -> None:
    """Write the variables for all functions; the file holds the database's password."""
    path.touch(mode=0o600)
    path.write_text(json.dumps({"Parameters": environment}, indent=1))
