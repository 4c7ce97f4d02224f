"""The settings of a function, read and checked at its start; docs/settings.md lists them.

The environment comes first, then settings.yaml of the catalog, then the default here. An empty
variable counts as unset.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Self

import msgspec
from msgspec import Meta

from dovecote.catalog import settings_file
from dovecote.channels import NAMES, every
from dovecote.core.parsing import settings as parsing
from dovecote.core.parsing.settings import BadSettings, InFile, read
from dovecote.store.person_hash import PersonHash

if TYPE_CHECKING:
    from dovecote.channels.base import ChannelSettings

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Some = Annotated[float, Meta(gt=0, le=86_400)]

LEAST_BATCH = 12
"""A claim has room for each channel and priority, and for fresh routes and retries of each."""

MOST_SEND_SECONDS = 40.0
"""Lambda ends a run of dispatch after 90 s; a run begins no send that may outlast it."""


class Variables(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The settings of no channel, by their lower-case names."""

    database_url: str = ""
    db_host: str = ""
    db_port: Annotated[int, Meta(ge=1, le=65535)] = 0
    db_name: str = ""
    db_user: str = ""
    max_attempts: InFile[Positive] = 8
    backoff_base_seconds: InFile[Seconds] = 30.0
    backoff_factor: InFile[Annotated[float, Meta(ge=1, le=1000)]] = 2.0
    backoff_max_seconds: InFile[Seconds] = 3600.0
    backoff_jitter: InFile[Annotated[float, Meta(ge=0, le=1)]] = 0.2
    lease_seconds: InFile[Some] = 60.0
    ambiguous_hold_seconds: InFile[Seconds] = 300.0
    pause_base_seconds: InFile[Some] = 2.0
    pause_max_seconds: InFile[Some] = 300.0
    send_connect_seconds: InFile[Some] = 2.0
    send_read_seconds: InFile[Some] = 10.0
    dispatch_batch_size: InFile[Positive] = 100
    dispatch_concurrency: InFile[Positive] = 32
    max_dispatchers: InFile[Annotated[int, Meta(ge=1, le=100)]] = 2
    dispatch_function: str = ""
    submit_function: str = ""
    inline_routes: InFile[Annotated[int, Meta(ge=0)]] = 2
    inline_budget_seconds: InFile[Annotated[float, Meta(gt=0, le=8)]] = 3.0
    otel_exporter_otlp_endpoint: Annotated[str, Meta(pattern=r"^https?://[^\s/]\S*\Z")] = ""
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 90
    payload_retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 14
    person_hash_key: Annotated[str, Meta(min_length=32)] = ""
    catalog_path: str = "/opt/catalog"

    @property
    def send_seconds(self) -> float:
        """Return how long one send may take: to connect, and to wait for the answer."""
        return self.send_connect_seconds + self.send_read_seconds

    @property
    def inline(self) -> Self:
        """Return the settings of submit's best effort: a send within its budget, a short lease.

        A connection may take a quarter of the budget and a response half of it; the rest is for
        the claim and the finaliser. The lease outlasts the budget, and ends before dispatch's next
        scheduled run.
        """
        budget = self.inline_budget_seconds
        return msgspec.structs.replace(
            self,
            send_connect_seconds=min(self.send_connect_seconds, budget / 4),
            send_read_seconds=min(self.send_read_seconds, budget / 2),
            lease_seconds=2 * budget + 5,
            dispatch_concurrency=max(1, self.inline_routes),
        )


class Settings(Variables, frozen=True, kw_only=True):
    """The settings of every function; `channels` are in the order of the registry."""

    channels: "tuple[ChannelSettings, ...]" = ()

    def of(self, channel: str) -> Any:
        """Return the settings of a channel."""
        return self.channels[NAMES.index(channel)]


@cache
def load() -> Settings:
    """Return the settings of this process; raise BadSettings."""
    folder = Path(os.environ.get("CATALOG_PATH") or Variables().catalog_path)
    return from_environment(os.environ, settings_file.load(folder))


@cache
def person_hash() -> PersonHash:
    """Return the hashes of people; raise BadSettings without their key."""
    if not load().person_hash_key:
        raise BadSettings("PERSON_HASH_KEY: is not set; set the same text in submit and api")
    return PersonHash(load().person_hash_key)


def from_environment(
    environment: Mapping[str, str], file: Mapping[str, Any] = MappingProxyType({})
) -> Settings:
    """Return the settings of an environment and of settings.yaml; raise BadSettings."""
    if file:
        _check_names(file)
    given = {**file, **{name: value for name, value in environment.items() if value}}
    own = msgspec.structs.asdict(read(given, Variables))
    of_channels = (read(given, channel.settings()) for channel in every().values())
    settings = Settings(**own, channels=tuple(of_channels))
    _check(settings)
    return settings


def check_file(folder: Path) -> None:
    """Check settings.yaml of a catalog folder by itself; raise BadSettings."""
    file = settings_file.load(folder)
    try:
        settings = from_environment({"DATABASE_URL": "postgresql://"}, file)
        if settings.dispatch_batch_size < LEAST_BATCH:
            raise BadSettings(f"DISPATCH_BATCH_SIZE: must be at least {LEAST_BATCH}")
    except BadSettings as error:
        raise BadSettings(f"{settings_file.SOURCE}: {error}") from None


def shapes() -> Sequence[type[msgspec.Struct]]:
    """Return the structs that declare the settings."""
    return [Variables, *(channel.settings() for channel in every().values())]


def names() -> set[str]:
    """Return the names of all settings."""
    return set().union(*map(parsing.names, shapes()))


def _check_names(file: Mapping[str, Any]) -> None:
    """Refuse settings that do not exist, or that each environment sets for itself."""
    known = [name for shape in shapes() for name in parsing.in_file(shape)]
    for name in file:
        if name not in known:
            raise BadSettings(f"{name}: must be one of: {', '.join(known)}")


def _check(settings: Settings) -> None:
    """Refuse settings that contradict each other."""
    for wrong, problem in _contradictions(settings):
        if wrong:
            raise BadSettings(problem)
    for channel in settings.channels:
        channel.check()


def _contradictions(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Yield whether settings contradict each other, with the problem."""
    for name in ("db_host", "db_port", "db_name", "db_user"):
        unset = not settings.database_url and not getattr(settings, name)
        yield unset, f"{name.upper()}: is not set; set it, or DATABASE_URL"
    yield from (
        (
            settings.send_seconds > MOST_SEND_SECONDS,
            "SEND_READ_SECONDS: must be, with SEND_CONNECT_SECONDS, at most"
            f" {MOST_SEND_SECONDS:g}: a run of dispatch begins no longer send",
        ),
        (
            settings.lease_seconds <= 2 * settings.send_seconds,
            "LEASE_SECONDS: must be more than twice SEND_CONNECT_SECONDS + SEND_READ_SECONDS,"
            f" which is {2 * settings.send_seconds:g}",
        ),
        (
            settings.backoff_max_seconds < settings.backoff_base_seconds,
            "BACKOFF_MAX_SECONDS: must be at least BACKOFF_BASE_SECONDS",
        ),
        (
            settings.pause_max_seconds < settings.pause_base_seconds,
            "PAUSE_MAX_SECONDS: must be at least PAUSE_BASE_SECONDS",
        ),
    )
