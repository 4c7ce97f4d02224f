"""The OpenTelemetry spans of a function."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from dovecote.wiring import logs
from dovecote.wiring.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dovecote.aws.otlp import Export
    from dovecote.aws.telemetry import Tracing
    from dovecote.core import ports

EXPORT_MARGIN_SECONDS = 0.1
"""The time that a function needs to return after it has exported its spans."""


@cache
def tracing() -> Tracing:
    """Return the spans of this function."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider

    from dovecote.aws.telemetry import Tracing

    provider = TracerProvider(
        resource=Resource.create({"service.name": logs.service_name()}),
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
            logs.set_trace_id(trace_id())
            yield
    finally:
        _flush(context)


def _flush(context: Any) -> None:
    if (exporter := export()) is None:
        return
    seconds = context.get_remaining_time_in_millis() / 1000
    if not exporter.flush(seconds - EXPORT_MARGIN_SECONDS):
        logs.log().warning("spans not exported")


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
        logs.log().warning("spans not exported: the layer was built without OTLP")
        return None
    return Export()
