"""The client event of a push has its producer's trace, or else its run's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Running
from tests.functions import Functions, environment, run_functions
from tests.integration.channels.push.devices import sent_pushes
from tests.integration.test_traces import TRACES, lines, post, traceparent
from tests.sending import TOPIC


@pytest.fixture
def later(database_url: str, provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    """The functions, of which submit sends nothing at once and pushes go to a topic."""
    settings = {"BACKOFF_BASE_SECONDS": "0", "INLINE_ROUTES": "0", "PUSH_TOPIC_ARN": TOPIC}
    with run_functions(
        environment(database_url, provider.url, catalog_folder, **settings)
    ) as wired:
        yield wired


ARRIVING = {"order_id": "1", "carrier": "DHL", "minutes": 20}


def test_each_push_of_a_batch_continues_its_own_producer_s_trace(
    later: Functions, provider: Running
) -> None:
    pushed = {"kind": "order.arriving", "recipients": [{"user_id": "u-1"}], "payload": ARRIVING}
    for key, trace in zip("abc", TRACES, strict=True):
        post(later, traceparent(trace), idempotency_key=key, **pushed)
    assert later.dispatch()["published"] == 3
    events = [json.loads(push.message) for push in sent_pushes(provider)]
    assert {event["request_id"]: event["trace_id"] for event in events} == dict(
        zip("abc", TRACES, strict=True)
    )


def test_a_push_of_a_producer_without_a_trace_has_its_run_s(
    later: Functions,
    connection: psycopg.Connection[Any],
    provider: Running,
    capsys: pytest.CaptureFixture[str],
) -> None:
    post(later, {}, kind="order.arriving", recipients=[{"user_id": "u-1"}], payload=ARRIVING)
    connection.execute("update dovecote.notifications set traceparent = null")
    capsys.readouterr()
    assert later.dispatch()["published"] == 1
    (push,) = sent_pushes(provider)
    told = {line["trace_id"] for line in lines(capsys.readouterr().out)}
    assert told == {json.loads(push.message)["trace_id"]}
