"""Traces across the queue: the producer's context is stored and continued by every attempt."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from dovecote.core import traceparent


class Tracing:
    """Spans of one tracer, by the W3C Trace Context."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(self, name: str, *traceparents: str | None) -> Iterator[None]:
        """Run a block in a span that continues the traceparent; a malformed one starts a trace.

        Of several that differ it continues none, but is linked to each of them. Then, and where
        none is given, it belongs to the active span.
        """
        several = dict.fromkeys(traceparents)
        with self._tracer.start_as_current_span(
            name,
            context=_continuing(*several) if len(several) == 1 else None,
            links=_links([*several]) if len(several) > 1 else (),
            # Exceptions could carry a recipient or a payload.
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield


def no_span(_name: str, /, *_traceparents: str | None) -> AbstractContextManager[None]:
    """Run a block in no span, where nobody takes spans: one is half of what a call costs."""
    return nullcontext()


def _continuing(given: str | None) -> Context:
    parent = _context(given)
    if parent is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _links(traceparents: Sequence[str | None]) -> list[trace.Link]:
    contexts = map(_context, traceparents)
    return [trace.Link(context) for context in contexts if context is not None]


def _context(given: str | None) -> SpanContext | None:
    parent = traceparent.read(given)
    if parent is None:
        return None
    return SpanContext(
        trace_id=int(parent.trace_id, 16),
        span_id=int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(parent.flags, 16)),
    )


def trace_id() -> str:
    """Return the active span context's trace id as 32 hex digits, or "" where none is valid."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def continued(given: str | None) -> str | None:
    """Return the producer's traceparent where it is valid, else that of the active span."""
    if traceparent.read(given) is not None:
        return traceparent.trimmed(given)
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
