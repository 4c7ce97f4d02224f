"""Traces across the queue: the producer's context is stored and continued by every attempt."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from msgspec import Struct
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

LONGEST = 512
"""The longest traceparent, in characters: OpenTelemetry reads none that is longer."""

_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing(Struct):
    """Spans of one tracer, by the W3C Trace Context."""

    tracer: trace.Tracer

    @contextmanager
    def span(self, name: str, *traceparents: str | None) -> Iterator[None]:
        """Run a block in a span that continues the traceparent; a malformed one starts a trace.

        Several different traceparents become links. Then, and without any, the span belongs to the
        active span.
        """
        several = dict.fromkeys(traceparents)
        with self.tracer.start_as_current_span(
            name,
            context=_continuing(*several) if len(several) == 1 else None,
            links=_links([*several]) if len(several) > 1 else (),
            # Exceptions could carry a recipient or a payload.
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield


def no_span(_name: str, /, *_traceparents: str | None) -> AbstractContextManager[None]:
    """Run a block without a span: one that is not exported would still double a call's cost."""
    return nullcontext()


def trace_id(context: Context | None = None) -> str:
    """Return a context's trace id as 32 hex digits, or "" without a span; default: the active."""
    span = trace.get_current_span(context).get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else ""


def trace_id_of(traceparent: str | None) -> str:
    """Return the trace id of a traceparent, or "" where it is malformed."""
    return trace_id(_continuing(traceparent))


def continued(traceparent: str | None) -> str | None:
    """Return the producer's traceparent where it is valid, else that of the active span."""
    if trace_id_of(traceparent):
        return _trimmed(traceparent)
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def _continuing(traceparent: str | None) -> Context:
    """Return a context with the span of a traceparent, or an empty one where it is malformed.

    OpenTelemetry also takes a line break at the end, and any character after the flags of a later
    version. PostgreSQL stores no NUL, and a header has printable ASCII only.
    """
    text = _trimmed(traceparent)
    valid = len(text) <= LONGEST and text.isascii() and text.isprintable()
    return _PROPAGATOR.extract({"traceparent": text} if valid else {}, Context())


def _links(traceparents: Sequence[str | None]) -> list[trace.Link]:
    spans = (trace.get_current_span(_continuing(one)).get_span_context() for one in traceparents)
    return [trace.Link(span) for span in spans if span.is_valid]


def _trimmed(traceparent: str | None) -> str:
    """Return a header's value without the blanks that HTTP allows around it."""
    return (traceparent or "").strip(" \t")
