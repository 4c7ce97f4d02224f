"""A third channel of the registry shows up wherever channels are read, without code of its own."""

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from dovecote import channels
from dovecote.aws import openapi
from dovecote.store.operations import overview
from dovecote.wiring import settings
from tests.builders import store_routes
from tests.functions import Functions
from tests.integration.test_gauges import by_channel
from tests.store import Store

NAMES = (*channels.NAMES, "sms")
LANE = 12
"""The first lane of the third channel."""


SMS = replace(channels.get(channels.NAMES[0]), name="sms")
"""A channel with a name of its own, and the parts of the first one."""


@pytest.fixture
def third(connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Register a third channel, which is paused, in a database that takes it."""
    for module in (channels, settings):
        monkeypatch.setattr(module, "NAMES", NAMES)
    monkeypatch.setattr(channels, "NUMBERS", {**channels.NUMBERS, "sms": 2})
    folder = ModuleType("dovecote.channels.sms")
    monkeypatch.setattr(folder, "CHANNEL", SMS, raising=False)
    monkeypatch.setitem(sys.modules, folder.__name__, folder)
    for table, constraints in {
        "channel_state": ["channel_state_channel"],
        "notification_routes": [
            "notification_routes_channel",
            "notification_routes_target",
            "notification_routes_lane",
        ],
    }.items():
        for name in constraints:
            connection.execute(f"alter table dovecote.{table} drop constraint if exists {name}")
    connection.execute(
        "insert into channel_state (resource, channel, paused_until, error)"
        " values ('sms', 'sms', now() + interval '1 hour', 'Throttling (429)')"
    )


@pytest.mark.usefixtures("third")
def test_metrics_have_a_line_of_it(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    functions.dispatch()
    _, own = by_channel(capsys.readouterr().out)
    paused = {name: line["paused"] for name, line in own.items()}
    assert paused == {name: [int(name == "sms")] for name in NAMES}


@pytest.mark.usefixtures("third")
def test_the_overview_has_its_routes_and_its_pause(
    functions: Functions,
    store: Store,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overview, "LANES", with_third(overview.LANES))
    monkeypatch.setattr(overview, "CHANNELS", with_third(overview.CHANNELS))
    store_routes(store, 3)
    connection.execute("update notification_routes set channel = 'sms', lane = %s", (LANE,))
    body = functions.call("GET", "/overview").body
    (pause,) = body["paused"]
    assert (pause["resource"], pause["channel"], pause["waiting"]) == ("sms", "sms", 3)
    live = {(one["channel"], one["status"]): one["live"] for one in body["live"]}
    assert live["sms", "pending"] == 3
    assert list(dict.fromkeys(channel for channel, _ in live)) == list(NAMES)


@pytest.mark.usefixtures("third")
def test_the_api_describes_it(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "document", openapi.document.__wrapped__)
    described = functions.call("GET", "/openapi.json").body
    assert described["components"]["schemas"]["Channel"]["enum"] == list(NAMES)


def with_third(lanes: dict[str, Any]) -> dict[str, Sequence[Any]]:
    """Return the parameters of a statement with one lane more."""
    own = {"channels": "sms", "statuses": "pending", "lanes": LANE}
    return {name: [*values, own[name]] for name, values in lanes.items()}
