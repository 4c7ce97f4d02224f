"""Routes that wait behind the pause of a denied resource are counted, shown and ended."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from local.provider import Fault, Running
from tests.functions import Functions, environment, run_functions
from tests.integration.passing_time import QUICK, RESOURCES, pass_seconds, run, run_until
from tests.sending import DENIED, SETTINGS, channel_body, order

Connection = psycopg.Connection[Any]
COUNT = 60
SIZES = {"email": ("1", "50")}
"""How many messages a request may have, of each channel that sends several in one."""


@pytest.fixture(
    params=[(name, size) for name in NAMES for size in SIZES.get(name, ("1",))], ids="-".join
)
def sent_by(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The name of a channel, and how many of its messages a request may have."""
    name, size = request.param
    return name, size


@pytest.fixture
def channel(sent_by: tuple[str, str]) -> str:
    """The channel that sends, whose resource is denied."""
    return sent_by[0]


@pytest.fixture
def stack(
    sent_by: tuple[str, str], database_url: str, provider: Running, catalog_folder: Path
) -> Iterator[Functions]:
    """The functions with real pauses, at a provider that denies the channel's resource."""
    channel, size = sent_by
    settings = {**QUICK, **SETTINGS[channel], "EMAIL_BULK_SIZE": size}
    order(provider, Fault.ERROR, **DENIED)
    with run_functions(environment(database_url, provider.url, catalog_folder, **settings)) as one:
        yield one


def post(functions: Functions, channel: str, count: int = COUNT) -> None:
    assert functions.post(channel_body(channel, count=count)).status == 202


def read(stack: Functions) -> list[dict[str, Any]]:
    """Return the routes of the first recipient."""
    (found,) = stack.call("GET", "/notifications?user_id=u-1").body["notifications"]
    return list(found["routes"])


def test_the_overview_counts_what_waits_behind_each_pause(
    stack: Functions, channel: str, connection: Connection
) -> None:
    post(stack, channel)
    run(stack)
    pass_seconds(connection, 60.0)
    overview = stack.call("GET", "/overview").body
    (paused,) = overview["paused"]
    assert (paused["resource"], paused["waiting"]) == (RESOURCES[channel], COUNT)
    assert 60 <= paused["oldest_waiting_seconds"] < 80
    assert "AccessDenied" in paused["error"]
    (live,) = [one for one in overview["live"] if one["live"]]
    assert (live["channel"], live["due"]) == (channel, COUNT)
    assert 60 <= live["oldest_due_seconds"] < 80


def test_a_waiting_route_is_shown_with_the_resource_it_waits_for(
    stack: Functions, channel: str, provider: Running, connection: Connection
) -> None:
    post(stack, channel, 1)
    (before,) = read(stack)
    assert (before["waiting_for"], before["waiting_since"]) == (None, None)
    run(stack)
    (route,) = read(stack)
    waiting = (route["waiting_for"], route["waiting_since"])
    assert waiting == (RESOURCES[channel], before["next_attempt_at"])
    assert route["next_attempt_at"] > before["next_attempt_at"]
    assert "AccessDenied" in route["last_error"]
    provider.provider.withdraw()
    run_until(stack, connection, 60)
    (after,) = read(stack)
    assert (after["status"], after["waiting_for"], after["last_error"]) == ("published", None, None)


@pytest.mark.parametrize("end", ["cancel", "expire", "erase"])
def test_a_waiting_route_ends_in_each_way_and_waits_no_more(
    stack: Functions, channel: str, connection: Connection, end: str
) -> None:
    post(stack, channel, 5)
    run(stack)
    run_until(stack, connection, 60)
    ENDS[end](stack, connection)
    found = connection.execute(
        "select distinct status, waiting_since, waiting_for, refusals, refused_at"
        " from dovecote.notification_routes"
    ).fetchall()
    status = "dead_lettered" if end == "expire" else "cancelled"
    assert found == [(status, None, None, None, None)]
    if end == "expire":
        ids = [r for (r,) in connection.execute("select route_id from notification_routes")]
        until = json.dumps({"expires_at": "2999-01-01T00:00:00Z"}).encode()
        assert stack.call("POST", f"/dead-letters/{ids[0]}/redrive", until).status == 202


def cancel(stack: Functions, connection: Connection) -> None:
    (found,) = connection.execute("select notification_id from dovecote.notifications").fetchall()
    assert stack.call("DELETE", f"/notifications/{found[0]}").body["cancelled"] == 5


def erase(stack: Functions, _connection: Connection) -> None:
    for number in range(1, 6):
        answer = stack.call("DELETE", f"/users?user_id=u-{number}")
        assert (answer.status, answer.body["erased"]) == (200, 1)


def expire(stack: Functions, connection: Connection) -> None:
    connection.execute(
        "update dovecote.notification_routes set expires_at = clock_timestamp(),"
        " next_attempt_at = least(next_attempt_at, clock_timestamp())"
    )
    run(stack)


ENDS = {"cancel": cancel, "expire": expire, "erase": erase}


def test_what_waits_ends_in_time_though_its_pause_outlasts_it(
    stack: Functions, channel: str, connection: Connection
) -> None:
    post(stack, channel)
    connection.execute(
        "update dovecote.notification_routes set expires_at = clock_timestamp() + interval '5 min'"
    )
    run_until(stack, connection, 310)
    run(stack)
    found = connection.execute(
        "select status, attempts, count(*) from dovecote.notification_routes group by 1, 2"
    ).fetchall()
    assert found == [("dead_lettered", 0, COUNT)]
