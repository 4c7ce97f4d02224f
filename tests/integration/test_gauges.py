"""What alarms look at, at the end of each run of dispatch."""

import json
import re
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from dovecote import channels
from dovecote.aws.measurements import SAMPLED
from dovecote.core.outcome import Failed
from dovecote.operations.gauges import RETURN_SECONDS, Gauges, ReadGauges
from dovecote.wiring import observability
from local.provider import Fault, Running
from tests.builders import (
    CHANNEL,
    RecordingLog,
    ScriptedChannel,
    a_dispatch,
    claim_all,
    forever,
    redrive_one,
    store_routes,
)
from tests.functions import Functions, environment, run_functions
from tests.integration.test_http import unreachable
from tests.sending import channel_body, order
from tests.store import Store

Connection = psycopg.Connection[Any]
__all__ = ["unreachable"]
WELL = Gauges(
    oldest_due_seconds=0,
    waiting_routes=0,
    dead_letters_hour=0,
    paused_resources=0,
    paused_channels=[],
)


def make_due(connection: Connection, ago: str) -> None:
    connection.execute(
        "update notification_routes set next_attempt_at = clock_timestamp() - %s::interval"
        " where next_attempt_at is not null",
        (ago,),
    )


def test_an_empty_queue_is_well(store: Store) -> None:
    assert store.gauges() == WELL


def test_the_oldest_due_route_is_of_any_lane_claimed_or_not(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 3, channels.NAMES[-1])
    make_due(connection, "90 s")
    store_routes(store, 2)
    assert 90 <= store.gauges().oldest_due_seconds < 100
    claim_all(store)
    assert 90 <= store.gauges().oldest_due_seconds < 100


def test_what_is_not_due_yet_or_has_ended_is_not_old(store: Store, connection: Connection) -> None:
    store_routes(store, 1)
    make_due(connection, "-1 hour")
    assert store.gauges().oldest_due_seconds == 0
    make_due(connection, "1 hour")
    a_dispatch(store, ScriptedChannel())(forever)
    assert store.gauges() == WELL


def test_open_dead_letters_of_the_last_hour_are_counted(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 3, max_attempts=1)
    a_dispatch(store, ScriptedChannel(answer=lambda _: Failed(error="no luck")))(forever)
    assert store.gauges().dead_letters_hour == 3
    ids = [r for (r,) in connection.execute("select route_id from notification_dead_letters")]
    redrive_one(store, ids[0], None)
    assert store.gauges().dead_letters_hour == 2
    connection.execute(
        "update notification_dead_letters"
        " set dead_lettered_at = clock_timestamp() - interval '61 minutes' where route_id = %s",
        (ids[1],),
    )
    assert store.gauges().dead_letters_hour == 1


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        *((name, [name]) for name in channels.NAMES),
        *((f"{name}/example.com", []) for name in channels.NAMES),
    ],
)
def test_a_pause_of_a_channel_as_a_whole_is_shown(
    store: Store, connection: Connection, resource: str, shown: list[str]
) -> None:
    pause = {"base": 60, "most": 300, "jitter": 1}
    store.pause(resource, "e", **pause)  # type: ignore[arg-type]
    gauges = store.gauges()
    assert (gauges.paused_channels, gauges.paused_resources) == (shown, 1)
    connection.execute(
        "update channel_state set paused_until = now() where resource = %s", (resource,)
    )
    # It counts as paused until a probe is answered.
    assert store.gauges() == replace(WELL, paused_resources=1)
    connection.execute(
        "update channel_state set trying_until = now() + interval '1 minute' where resource = %s",
        (resource,),
    )
    assert store.gauges().paused_channels == shown


# By the function.


def metrics_of(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith('{"_aws"')]


def by_channel(printed: str) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return the lines of the whole service, and the line of each channel."""
    lines = metrics_of(printed)
    own = {line["channel"]: line for line in lines if "channel" in line}
    whole = [line for line in lines if "channel" not in line]
    assert len(lines) == len(own) + len(whole)
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        (dimensions,) = directive["Dimensions"]
        assert set(dimensions) == {"service", *({"channel"} & set(line))}
    return whole, own


def units_of(line: dict[str, Any]) -> dict[str, str]:
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}


TALLY = {
    "claimed": "Count", "published": "Count", "retrying": "Count", "dead_lettered": "Count",
    "skipped": "Count", "given_back": "Count", "interrupted": "Count",
}  # fmt: skip
GAUGES = {
    "oldest_due_seconds": "Seconds", "waiting_routes": "Count", "dead_letters_hour": "Count",
    "paused_resources": "Count",
}  # fmt: skip


def test_a_run_emits_its_tally_and_gauges_in_one_line_and_the_pauses_in_one_line_a_channel(
    functions: Functions, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.post(channel_body(deliver_at="2999-01-01T00:00:00Z"))
    make_due(connection, "90 s")
    connection.execute(
        "update channel_state set paused_until = now() + interval '1 hour' where resource = %s",
        (CHANNEL,),
    )
    capsys.readouterr()
    assert set(functions.dispatch()) == set(TALLY)
    (line,), own = by_channel(capsys.readouterr().out)
    assert units_of(line) == TALLY | GAUGES
    assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])
    assert line["oldest_due_seconds"][0] >= 90
    assert {name: one["paused"] for name, one in own.items()} == {
        name: [int(name == CHANNEL)] for name in channels.NAMES
    }
    assert all(units_of(one) == {"paused": "Count"} for one in own.values())
    assert {one["trace_id"] for one in own.values()} == {line["trace_id"]}
    assert {one["service"] for one in (line, *own.values())} == {"dovecote"}


def test_a_run_emits_a_line_for_each_registered_channel(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    functions.dispatch()
    _, own = by_channel(capsys.readouterr().out)
    assert tuple(own) == channels.NAMES


def test_a_run_emits_what_channels_answered_how_often_was_tried_and_how_long_it_took(
    functions: Functions, provider: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    order(provider, Fault.ERROR, times=1)
    order(provider, Fault.STALL, seconds=0.3, times=1)
    functions.post(channel_body())
    functions.post(channel_body(idempotency_key="another", deliver_at="2000-01-01T00:00:00Z"))
    capsys.readouterr()
    functions.dispatch()
    _, own = by_channel(capsys.readouterr().out)
    line = own.pop(CHANNEL)
    assert [units_of(other) for other in own.values()] == [{"paused": "Count"}] * len(own)
    assert set(units_of(line)) == {"paused", "ambiguous", "delivered", *SAMPLED}
    assert (line["paused"], line["ambiguous"], line["delivered"]) == ([0], [1], [2])
    assert sorted(line["attempts_to_success"]) == [1, 2]
    assert len(line["send_seconds"]) == 3
    assert 0.3 <= max(line["send_seconds"]) < 2
    assert len(line["delivery_seconds"]) == 2
    assert 0.3 <= max(line["delivery_seconds"]) < 10
    assert units_of(line)["delivery_seconds"] == units_of(line)["send_seconds"] == "Seconds"


def test_submit_emits_what_its_tries_came_to_once_in_a_while(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.post(channel_body())
    assert metrics_of(capsys.readouterr().out) == []
    monkeypatch.setattr(observability, "EMIT_SECONDS", 0)
    functions.post(channel_body(idempotency_key="another"))
    functions.post(channel_body(idempotency_key="later", deliver_at="2999-01-01T00:00:00Z"))
    whole, own = by_channel(capsys.readouterr().out)
    assert whole == []
    assert own.keys() == {CHANNEL}
    assert own[CHANNEL]["delivered"] == [2]
    assert set(units_of(own[CHANNEL])) == {"delivered", *SAMPLED}


def test_a_run_without_a_database_emits_its_tally_and_leaves_the_gauges_out(
    unreachable: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unreachable.dispatch()["interrupted"] == len(channels.NAMES)
    printed = capsys.readouterr().out
    (line,) = metrics_of(printed)
    assert units_of(line) == TALLY
    (warning,) = [one for one in printed.splitlines() if "gauges not read" in one]
    assert json.loads(warning)["level"] == "WARNING"


@pytest.mark.timed
def test_gauges_take_no_longer_than_the_function_has(store: Store, connection: Connection) -> None:
    log = RecordingLog()
    read = ReadGauges(read=store.gauges, limits=store, log=log)
    with connection.transaction():
        connection.execute("lock table notification_routes in access exclusive mode")
        begun = time.monotonic()
        assert read(RETURN_SECONDS + 0.3) is None
        assert 0.3 <= time.monotonic() - begun < 1
    assert [line[1] for line in log.lines] == ["gauges not read"]
    gauges = read(5)
    assert gauges is not None
    assert set(gauges.totals) == set(GAUGES)


def test_gauges_are_not_asked_for_where_no_time_is_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []
    monkeypatch.setattr(store, "gauges", lambda: asked.append(None))
    log = RecordingLog()
    assert ReadGauges(read=store.gauges, limits=store, log=log)(RETURN_SECONDS) is None
    assert [line[1] for line in log.lines] == ["gauges not read"]
    assert asked == []


def test_two_stacks_share_no_metrics_and_no_logs(
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("one", "two", ""):
        values = environment(
            database_url, provider.url, catalog_folder, POWERTOOLS_SERVICE_NAME=name
        )
        with run_functions(values) as functions:
            functions.dispatch()
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {line["service"] for line in lines} == {name or "dovecote"}
        whole, own = by_channel("\n".join(map(json.dumps, lines)))
        assert (len(whole), len(own)) == (1, len(channels.NAMES))
