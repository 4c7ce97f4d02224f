"""Traces across the queue: the producer's context is stored and continued by every attempt."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()
_STORABLE = re.compile(r"[!-~]{55,512}")


class Tracing:
    """Spans of one tracer, by the W3C Trace Context."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(self, name: str, *traceparents: str | None) -> Iterator[None]:
        """Run a block in a span that continues the traceparent; a malformed one starts a trace.

        Of several that differ it continues none: it starts a trace that is linked to each of them.
        """
        parents = [_context(traceparent) for traceparent in dict.fromkeys(traceparents)]
        several = len(parents) > 1
        with self._tracer.start_as_current_span(
            # Exceptions could carry a recipient or a payload.
            name,
            context=Context() if several or not parents else parents[0],
            links=_links(parents) if several else (),
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield


def _context(traceparent: str | None) -> Context:
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _links(contexts: Sequence[Context]) -> list[trace.Link]:
    spans = (trace.get_current_span(context).get_span_context() for context in contexts)
    return [trace.Link(span) for span in spans if span.is_valid]


def trace_id() -> str:
    """Return the active span context's trace id as 32 hex digits, or "" where none is valid."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def continued(traceparent: str | None) -> str | None:
    """Return the producer's traceparent where it is valid, else that of the active span."""
    if traceparent is not None:
        parent = trace.get_current_span(_context(traceparent))
        if parent.get_span_context().is_valid and _STORABLE.fullmatch(traceparent):
            return traceparent
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")
