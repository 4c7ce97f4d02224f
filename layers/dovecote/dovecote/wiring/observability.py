"""The log, the metrics and the spans of a function.

Metrics are lines of the log in CloudWatch's embedded metric format.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec

from dovecote.wiring.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_lambda_powertools import Logger

    from dovecote.aws.measurements import Measurements, Values
    from dovecote.aws.otlp import Export
    from dovecote.aws.telemetry import Tracing
    from dovecote.core import ports
    from dovecote.core.inbox import InboxGauges
    from dovecote.operations.gauges import Gauges

_MAKING = threading.Lock()
"""Held to make the logger: any thread may write the first line."""

EMIT_SECONDS = 60
"""Submit emits metrics at most once in this time: a line per request would cost too much."""

EXPORT_MARGIN_SECONDS = 0.1
"""The time that a function needs to return after it has exported its spans."""


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


def start_log(context: Any, parent: str | None = None) -> ports.Log:
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


@cache
def logger() -> Logger:
    """Return Powertools' Logger."""
    from aws_lambda_powertools import Logger

    return Logger(service=service_name())


def service_name() -> str:
    """Return the name in logs, metrics and spans that tells two stacks of one account apart."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME") or "dovecote"


@cache
def measurements() -> Measurements:
    """Return the measurements of this function's deliveries."""
    from dovecote.aws.measurements import Measurements

    return Measurements(now=time.time, sample=random.sample)


def emit_run(tally: Mapping[str, int], gauges: Gauges | None) -> None:
    """Emit a run's tally and gauges in one line of the log, and one line for each channel."""
    from dovecote.aws.measurements import with_pauses

    totals = {} if gauges is None else gauges.totals
    _emit({name: [value] for name, value in {**tally, **totals}.items()})
    taken = measurements().take()
    _emit_by_channel(taken if gauges is None else with_pauses(taken, gauges.paused_channels))


def emit_inbox(tally: Mapping[str, int], gauges: InboxGauges | None) -> None:
    """Emit a scheduled run's counts, and the gauges of the inbox, in one line."""
    watched = {} if gauges is None else msgspec.structs.asdict(gauges)
    counts = {
        name if name.startswith("routes_") else f"submissions_{name}": value
        for name, value in tally.items()
    }
    _emit({name: [value] for name, value in {**counts, **watched}.items()})


def emit_deliveries() -> None:
    """Emit the measurements of submit's deliveries, at most once in EMIT_SECONDS."""
    if measurements().age >= EMIT_SECONDS:
        _emit_by_channel(measurements().take())


def _emit_by_channel(measured: Mapping[str, Values]) -> None:
    for channel, values in measured.items():
        _emit(values, channel)


def _emit(values: Values, channel: str | None = None) -> None:
    """Emit metrics in one line of the log, with the dimension `channel` where one is given."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace="Dovecote", service=service_name())
    if channel is not None:
        metrics.add_dimension(name="channel", value=channel)
    for name, several in values.items():
        unit = MetricUnit.Seconds if name.endswith("_seconds") else MetricUnit.Count
        for value in several:
            metrics.add_metric(name=name, unit=unit, value=value)
    for key, named in _lazy_log().keys.items():
        metrics.add_metadata(key=key, value=named)
    metrics.flush_metrics()


@cache
def tracing() -> Tracing:
    """Return the spans of this function."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider

    from dovecote.aws.telemetry import Tracing

    provider = TracerProvider(
        resource=Resource.create({"service.name": service_name()}),
        shutdown_on_exit=False,
        # A batch has a link to the trace of each of its routes.
        span_limits=SpanLimits(max_links=SpanLimits.UNSET),
    )
    if (exporter := export()) is not None:
        provider.add_span_processor(exporter.processor)
    return Tracing(provider.get_tracer("dovecote"))


@contextmanager
def traced(context: Any, name: str, parent: str | None = None) -> Iterator[None]:
    """Run an invocation in a span; each line of its log names the span's trace.

    Ended spans are exported within the time that the invocation has left.
    """
    from dovecote.aws.telemetry import trace_id

    try:
        with tracing().span(name, parent):
            _lazy_log().keys |= {"trace_id": trace_id()}
            yield
    finally:
        if (exporter := export()) is not None:
            seconds = context.get_remaining_time_in_millis() / 1000
            if not exporter.flush(seconds - EXPORT_MARGIN_SECONDS):
                log().warning("spans not exported")


def inner_span() -> ports.Span:
    """Return the function that opens a span within an invocation's: without export, none."""
    from dovecote.aws.telemetry import no_span

    return no_span if export() is None else tracing().span


@cache
def export() -> Export | None:
    """Return the exporter of spans, or None without a collector or with a layer without OTLP."""
    if not load().otel_exporter_otlp_endpoint:
        return None
    try:
        from dovecote.aws.otlp import Export
    except ImportError:
        log().warning("spans not exported: the layer was built without OTLP")
        return None
    return Export()
