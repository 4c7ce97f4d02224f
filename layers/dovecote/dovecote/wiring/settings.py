"""The settings of a function, read from the environment and checked at its start.

docs/design.md lists names, defaults and meanings. An empty variable counts as unset.
"""

import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Self

import msgspec
from msgspec import Meta

from dovecote.channels import NAMES, every
from dovecote.core.parsing.settings import BadSettings, read
from dovecote.store.person_hash import PersonHash

if TYPE_CHECKING:
    from dovecote.channels.base import ChannelSettings

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Some = Annotated[float, Meta(gt=0, le=86_400)]

MOST_SEND_SECONDS = 40.0
"""Lambda ends a run of dispatch after 90 s; a run begins no send that may outlast it."""


class Variables(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The variables of no channel, by their lower-case names."""

    database_url: str = ""
    db_host: str = ""
    db_port: Annotated[int, Meta(ge=1, le=65535)] = 5432
    db_name: str = ""
    db_user: str = ""
    max_attempts: Positive = 8
    backoff_base_seconds: Seconds = 30.0
    backoff_factor: Annotated[float, Meta(ge=1, le=1000)] = 2.0
    backoff_max_seconds: Seconds = 3600.0
    backoff_jitter: Annotated[float, Meta(ge=0, le=1)] = 0.2
    lease_seconds: Some = 60.0
    ambiguous_hold_seconds: Seconds = 300.0
    pause_base_seconds: Some = 2.0
    pause_max_seconds: Some = 300.0
    send_connect_seconds: Some = 2.0
    send_read_seconds: Some = 10.0
    dispatch_batch_size: Positive = 100
    dispatch_concurrency: Positive = 32
    max_dispatchers: Annotated[int, Meta(ge=1, le=100)] = 2
    dispatch_function: str = ""
    submit_function: str = ""
    inline_routes: Annotated[int, Meta(ge=0)] = 2
    inline_budget_seconds: Annotated[float, Meta(gt=0, le=8)] = 3.0
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
    """The environment of every function; `channels` are in the order of the registry."""

    channels: "tuple[ChannelSettings, ...]" = ()

    def of(self, channel: str) -> Any:
        """Return the settings of a channel."""
        return self.channels[NAMES.index(channel)]


@cache
def load() -> Settings:
    """Return the settings of this process's environment; raise BadSettings."""
    return from_environment(os.environ)


@cache
def person_hash() -> PersonHash:
    """Return the hashes of people; raise BadSettings without their key."""
    if not load().person_hash_key:
        raise BadSettings("PERSON_HASH_KEY: is not set; set the same text in submit and api")
    return PersonHash(load().person_hash_key)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings that an environment names; raise BadSettings naming the variable."""
    own = msgspec.structs.asdict(read(environment, Variables))
    of_channels = (read(environment, channel.settings()) for channel in every().values())
    settings = Settings(**own, channels=tuple(of_channels))
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Refuse settings that contradict each other."""
    for wrong, problem in _contradictions(settings):
        if wrong:
            raise BadSettings(problem)
    for channel in settings.channels:
        channel.check()


def _contradictions(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Yield whether settings contradict each other, with the problem."""
    for name in ("db_host", "db_name", "db_user"):
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
