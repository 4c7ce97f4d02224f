"""One span for each batch, linked to the producers' traces, and a trace in each line of the log."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dovecote.wiring import observability
from local.provider import Fault, Running
from tests.functions import Functions, environment, run_functions
from tests.sending import channel_body, order
from tests.unit.examples import TRACEPARENT

TRACE = re.compile("[0-9a-f]{32}")
TRACES = [f"{number:032x}" for number in range(1, 4)]


@pytest.fixture
def later(database_url: str, provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    """The functions, of which submit sends nothing at once."""
    values = environment(
        database_url,
        provider.url,
        catalog_folder,
        BACKOFF_BASE_SECONDS="0",
        INLINE_ROUTES="0",
    )
    with run_functions(values) as wired:
        yield wired


def traceparent(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}


def post(functions: Functions, headers: Mapping[str, str], **body: Any) -> None:
    document = channel_body(**body)
    assert functions.post(json.dumps(document).encode(), headers).status == 202


class Export:
    """Takes spans, as what sends them away does, and keeps them."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        self.processor = SimpleSpanProcessor(self._kept)

    def flush(self, _seconds: float) -> bool:
        return True

    def taken(self) -> Sequence[ReadableSpan]:
        return self._kept.get_finished_spans()


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch) -> Export:
    taking = Export()
    monkeypatch.setattr(observability, "export", lambda: taking)
    return taking


def named(spans: Sequence[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def trace_of(span: Any) -> str:
    return f"{span.context.trace_id:032x}"


def links_of(span: ReadableSpan) -> set[str]:
    return {f"{link.context.trace_id:032x}" for link in span.links}


def test_a_batch_has_one_span_of_its_run_linked_to_the_traces_of_its_producers(
    later: Functions, export: Export
) -> None:
    for key, trace in zip("abc", TRACES, strict=True):
        post(later, traceparent(trace), idempotency_key=key)
    post(later, {"traceparent": "00-malformed"}, idempotency_key="d")
    assert later.dispatch()["published"] == 4
    spans = export.taken()
    (run,) = named(spans, "notification.dispatch")
    (batch,) = named(spans, "notification.deliver")
    assert links_of(batch) > set(TRACES)
    assert len(batch.links) == 4  # the malformed one was given a trace by submit
    assert {trace_of(one) for one in (run, batch)} == {trace_of(run)}
    assert batch.parent is not None
    assert batch.parent.span_id == (run.context and run.context.span_id)


def test_a_trace_is_stored_and_continued_by_a_retry(
    functions: Functions, export: Export, connection: psycopg.Connection[Any], provider: Running
) -> None:
    order(provider, Fault.ERROR, times=1)
    functions.post(json.dumps(channel_body()).encode(), {"traceparent": TRACEPARENT})
    assert functions.dispatch()["published"] == 1
    attempts = named(export.taken(), "notification.attempt")
    assert list(map(trace_of, attempts)) == [TRACEPARENT[3:35]] * 2
    assert connection.execute("select traceparent from dovecote.notifications").fetchone() == (
        TRACEPARENT,
    )


def test_where_nobody_takes_spans_there_is_one_for_the_invocation_alone(later: Functions) -> None:
    tracer: Any = observability.tracing().tracer
    unexported = Export()
    tracer.span_processor.add_span_processor(unexported.processor)
    post(later, traceparent(TRACES[0]))
    assert later.dispatch()["published"] == 1
    assert [span.name for span in unexported.taken()] == [
        "notification.submit",
        "notification.dispatch",
    ]


def lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def test_each_line_of_the_log_has_a_trace_and_a_failure_its_producer_s(
    later: Functions, provider: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    order(provider, Fault.ERROR, times=1)
    post(later, traceparent(TRACES[0]))
    later.dispatch()
    later.feedback("no event")
    printed = lines(capsys.readouterr().out)
    assert all(TRACE.fullmatch(line["trace_id"]) for line in printed)
    told = [line for line in printed if "routes retry scheduled" in line.get("message", "")]
    assert [route["trace_id"] for line in told for route in line["routes"]] == [TRACES[0]]
    (ran,) = [line for line in printed if line.get("message") == "dispatched"]
    measured = {line["trace_id"] for line in printed if "_aws" in line}
    assert {told[0]["trace_id"], *measured} == {ran["trace_id"]}
    assert measured
    (took,) = [line for line in printed if line.get("message") == "feedback recorded"]
    assert took["trace_id"] != ran["trace_id"]


def test_a_request_s_lines_name_its_caller_s_trace(
    database_url: str, provider: Running, catalog_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    values = environment(nowhere, provider.url, catalog_folder)
    with run_functions(values) as functions:
        body = json.dumps(channel_body()).encode()
        assert functions.post(body, traceparent(TRACES[1])).status == 503
        assert functions.post(body, {"traceparent": "00-malformed"}).status == 503
    first, second = lines(capsys.readouterr().out)
    assert first["trace_id"] == TRACES[1]
    assert TRACE.fullmatch(second["trace_id"])
    assert second["trace_id"] != TRACES[1]
