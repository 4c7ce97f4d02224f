"""A request with several emails has one span, in the trace of its run."""

from tests.functions import Functions
from tests.integration.test_traces import (
    TRACES,
    Export,
    export,
    later,
    named,
    post,
    trace_of,
    traceparent,
)

__all__ = ["export", "later"]


def test_a_bulk_request_has_one_span_in_the_trace_of_its_run(
    later: Functions, export: Export
) -> None:
    for key, trace in zip("abc", TRACES, strict=True):
        post(later, traceparent(trace), idempotency_key=key)
    post(later, {"traceparent": "00-malformed"}, idempotency_key="d")
    assert later.dispatch()["published"] == 4
    spans = export.taken()
    (run,) = named(spans, "notification.dispatch")
    (batch,) = named(spans, "notification.deliver")
    (call,) = named(spans, "notification.attempt")
    assert trace_of(call) == trace_of(run)
    assert call.parent is not None
    assert call.parent.span_id == (batch.context and batch.context.span_id)
