"""The settings of a function, read from the environment and checked at its start.

docs/design.md lists names, defaults and meanings. An empty variable counts as unset.
"""

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_APPLICATION = re.compile(r"arn:[^:]+:sns:[^:]+:\d{12}:app/(APNS|APNS_SANDBOX|GCM)/[^/:]+\Z")

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Some = Annotated[float, Meta(gt=0, le=86_400)]
Mailbox = Annotated[
    str, Meta(pattern=r"^([^<>@,\x00-\x1f]*<[^<>@,\s]+@[^<>@,\s]+>|[^<>@,\s]+@[^<>@,\s]+)\Z")
]
"""An address with or without a name; a full validator would slow each cold start."""

Share = Annotated[float, Meta(ge=0, le=1)]


MOST_SEND_SECONDS = 40.0
"""Lambda ends a run of dispatch after 90 s; a run begins no send that may outlast it."""

Rate = Annotated[str, Meta(pattern=r"^(auto|\d{1,6}(\.\d+)?)\Z")]
"""Emails per second, or auto: the rate that SES reports."""


class BadSettings(Exception):
    """A setting is missing or invalid; the message names its variable."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The settings of every function, by the lower-case names of their variables."""

    database_url: str = ""
    db_host: str = ""
    db_port: Annotated[int, Meta(ge=1, le=65535)] = 5432
    db_name: str = ""
    db_user: str = ""
    email_from: Mailbox = ""
    email_configuration_set: str = ""
    email_allow: str = ""
    email_redirect_to: Mailbox = ""
    email_feedback: Literal["off", "on"] = "off"
    email_max_per_second: Rate = "auto"
    email_bulk_size: Annotated[int, Meta(ge=1, le=50)] = 50
    push_topic_arn: str = ""
    push_application_arns: str = ""
    max_attempts: Positive = 8
    backoff_base_seconds: Seconds = 30.0
    backoff_factor: Annotated[float, Meta(ge=1, le=1000)] = 2.0
    backoff_max_seconds: Seconds = 3600.0
    backoff_jitter: Share = 0.2
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
    inline_routes: Count = 2
    inline_budget_seconds: Annotated[float, Meta(gt=0, le=8)] = 3.0
    otel_exporter_otlp_endpoint: Annotated[str, Meta(pattern=r"^https?://[^\s/]\S*\Z")] = ""
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 90
    catalog_path: str = "/opt/catalog"

    @property
    def send_seconds(self) -> float:
        """Return how long one send may take: the connection and the response."""
        return self.send_connect_seconds + self.send_read_seconds

    @property
    def email_rate(self) -> float | None:
        """Return the emails a second that are set, or None where SES says."""
        return None if self.email_max_per_second == "auto" else float(self.email_max_per_second)

    @property
    def holds(self) -> Mapping[str, float]:
        """Return how long each channel's events are waited for in doubt; 0 where it has none."""
        return {
            "email": self.ambiguous_hold_seconds if self.email_feedback == "on" else 0.0,
            "push": 0.0,
        }

    @property
    def inline(self) -> "Settings":
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

    @property
    def allowed_emails(self) -> tuple[str, ...]:
        """Return the addresses and @domains that may be mailed; empty where all may."""
        return _listed(self.email_allow)

    @property
    def push_applications(self) -> Mapping[str, str]:
        """Return the ARN of the platform application of each platform, by SNS's name."""
        arns = _listed(self.push_application_arns)
        return {arn.split(":")[5].split("/")[1]: arn for arn in arns}


@cache
def load() -> Settings:
    """Return the settings of this process's environment; raise BadSettings."""
    return from_environment(os.environ)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings of an environment; raise BadSettings with the variable's name."""
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    named = {name: value for name, value in environment.items() if name in known and value}
    try:
        settings = msgspec.convert(named, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(_in_words(error)) from None
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Refuse settings that contradict each other."""
    _check_database(settings)
    if settings.send_seconds > MOST_SEND_SECONDS:
        raise BadSettings(
            "SEND_READ_SECONDS: must be, with SEND_CONNECT_SECONDS, at most"
            f" {MOST_SEND_SECONDS:g}: a run of dispatch begins no longer send"
        )
    if settings.lease_seconds <= 2 * settings.send_seconds:
        raise BadSettings(
            "LEASE_SECONDS: must be more than twice SEND_CONNECT_SECONDS + SEND_READ_SECONDS,"
            f" which is {2 * settings.send_seconds:g}"
        )
    if settings.backoff_max_seconds < settings.backoff_base_seconds:
        raise BadSettings("BACKOFF_MAX_SECONDS: must be at least BACKOFF_BASE_SECONDS")
    if settings.pause_max_seconds < settings.pause_base_seconds:
        raise BadSettings("PAUSE_MAX_SECONDS: must be at least PAUSE_BASE_SECONDS")
    _check_email(settings)
    _check_arns(settings)


def _check_database(settings: Settings) -> None:
    for name in ("db_host", "db_name", "db_user"):
        if not settings.database_url and not getattr(settings, name):
            raise BadSettings(f"{name.upper()}: is not set; set it, or DATABASE_URL")


def _check_email(settings: Settings) -> None:
    if settings.email_rate == 0:
        raise BadSettings("EMAIL_MAX_PER_SECOND: must be more than 0")
    if settings.email_feedback == "on" and not settings.email_configuration_set:
        raise BadSettings("EMAIL_FEEDBACK: must be off without EMAIL_CONFIGURATION_SET")


def _check_arns(settings: Settings) -> None:
    for arn in _listed(settings.push_application_arns):
        if not _APPLICATION.match(arn):
            raise BadSettings("PUSH_APPLICATION_ARNS: must be a list of platform application ARNs")
    if len(settings.push_applications) < len(_listed(settings.push_application_arns)):
        raise BadSettings("PUSH_APPLICATION_ARNS: must have one application per platform")
    if settings.push_topic_arn and len(settings.push_topic_arn.split(":")) != 6:
        raise BadSettings("PUSH_TOPIC_ARN: must be the ARN of a topic")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _in_words(error: msgspec.ValidationError) -> str:
    """Return "Expected `int` … - at `$.NAME`" with the name first."""
    what, _, where = str(error).rpartition(" - at `$.")
    return f"{where.rstrip('`')}: {what[:1].lower()}{what[1:]}"
