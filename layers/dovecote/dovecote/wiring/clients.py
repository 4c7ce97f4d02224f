"""The clients of AWS services."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dovecote.core import ports
    from dovecote.wiring.settings import Settings

INVOKE_SECONDS = 1
"""How long Lambda may take to accept a connection, and to answer a call."""

_MAKING = threading.Lock()
"""Held to make a client: any thread may be the first to need one."""


@cache
def session() -> Any:
    """Return the one boto3 session: a second would cost as much again."""
    import boto3

    return boto3.session.Session()


@cache
def provider_client(service: str, settings: Settings) -> Any:
    """Return the client of SES or SNS."""
    return _make_client(
        service,
        connect_timeout=settings.send_connect_seconds,
        read_timeout=settings.send_read_seconds,
        max_pool_connections=settings.dispatch_concurrency,
    )


@cache
def lambda_client() -> Any:
    """Return the client that invokes dispatch: a lost call costs only the wait."""
    return _make_client("lambda", connect_timeout=INVOKE_SECONDS, read_timeout=INVOKE_SECONDS)


def invoke_dispatch(settings: Settings) -> ports.Invoke:
    """Return the function that invokes dispatch."""
    from dovecote.aws.invocation import LambdaInvoke

    return LambdaInvoke(client=lambda_client, function=settings.dispatch_function)


def _make_client(service: str, **config: Any) -> Any:
    """Make a client that sends each request once: boto3 would repeat a stalled SendEmail.

    The user agent is given, since boto3 would build its own twice for each request. boto3 does not
    validate parameters: that costs a tenth of a SendEmail (ADR 37), and providers validate them.
    """
    import boto3
    from botocore.config import Config

    agent = f"Dovecote Boto3/{boto3.__version__}"
    config |= {
        "retries": {"total_max_attempts": 1},
        "user_agent": agent,
        "parameter_validation": False,
    }
    owner = session()
    with _MAKING:
        return owner.client(service, config=Config(**config))
