"""The structured log of a function."""

from __future__ import annotations

import os
import threading
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger

    from dovecote.core import ports

_MAKING = threading.Lock()
"""Held to make the logger: any thread may write the first line."""


class _LazyLog:
    """Powertools' Logger, loaded for the first line: most requests write none."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {"trace_id": ""}

    def __getattr__(self, name: str) -> Any:
        """Return the logger's method of this name, with the keys of the current invocation."""
        with _MAKING:
            made = logger()
        made.append_keys(**self.keys)
        return getattr(made, name)


@cache
def _lazy_log() -> _LazyLog:
    return _LazyLog()


def log() -> ports.Log:
    """Return the log of this function."""
    return cast("ports.Log", _lazy_log())


def start(context: Any, parent: str | None = None) -> ports.Log:
    """Start the log of an invocation: each line has the request's id and a trace id.

    The trace id is taken from `parent`, the caller's traceparent, or made for the invocation.
    OpenTelemetry is loaded only for a caller that sends a traceparent.
    """
    trace_id = uuid.uuid4().hex
    if parent:
        from dovecote.aws import telemetry

        trace_id = telemetry.trace_id_of(parent) or trace_id
    _lazy_log().keys = {"request_id": context.aws_request_id, "trace_id": trace_id}
    return log()


def set_trace_id(trace_id: str) -> None:
    """Name a trace in each further line of the invocation."""
    _lazy_log().keys |= {"trace_id": trace_id}


def keys() -> Mapping[str, str]:
    """Return the keys of each line of the invocation."""
    return _lazy_log().keys


@cache
def logger() -> Logger:
    """Return Powertools' Logger."""
    from aws_lambda_powertools import Logger

    return Logger(service=service_name())


def service_name() -> str:
    """Return the name in logs, metrics and spans that tells two stacks of one account apart."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME") or "dovecote"
