"""How often the store goes to its server: once for what is one statement."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from dovecote.dispatch.cursors import LaneCursors
from dovecote.store.database import Connection, Database
from dovecote.wiring import clients
from tests.builders import CHANNEL, a_lease, a_notification, a_route
from tests.functions import Functions
from tests.sending import channel_body
from tests.store import Store

Ask = Callable[[Store], object]

ONE_STATEMENT: dict[str, Ask] = {
    "submit": lambda store: store.submit(a_notification([a_route()]), a_lease()),
    "submit, with a route that is tried at once and users who may have devices": (
        lambda store: store.submit(
            a_notification([a_route(claimed=True)]), a_lease(), unless_devices_of=["u-1"]
        )
    ),
    "devices": lambda store: store.devices(["u-1"]),
    "find": lambda store: store.find("order.shipped", "unknown"),
    "claim, and how its channel stands": (
        lambda store: store.claim(CHANNEL, {0: 1}, a_lease(), LaneCursors())
    ),
    "channel_state": lambda store: store.channel_state(CHANNEL),
    "ready, and the sends that it reserves": lambda store: store.ready(CHANNEL, 1, 0.2),
    "set_rate": lambda store: store.set_rate(CHANNEL, 10.0),
    "publish": lambda store: store.publish(uuid4(), {uuid4(): "m-1"}, {uuid4(): "m-1"}),
    "accepted": lambda store: store.accepted([]),
}


@contextmanager
def on_the_wire(connection: psycopg.Connection[tuple[object, ...]], path: Path) -> Iterator[None]:
    """Let libpq write down what it sends and what it is answered."""
    with path.open("w") as file:
        connection.pgconn.trace(file.fileno())
        try:
            yield
        finally:
            connection.pgconn.untrace()


def round_trips(path: Path) -> list[str]:
    """Return what was sent and waited for: a plain query, or the end of an extended one."""
    return re.findall(r"\tF\t\d+\t(Query|Sync)\b", path.read_text())


@pytest.mark.parametrize("name", ONE_STATEMENT)
def test_what_is_one_statement_is_one_round_trip(
    database_url: str, tmp_path: Path, name: str
) -> None:
    trace = tmp_path / "trace"
    with Connection.connect(database_url, autocommit=True, prepare_threshold=None) as opened:
        store = Store(Database(lambda: opened), default_max_attempts=5)
        with on_the_wire(opened, trace):
            ONE_STATEMENT[name](store)
    assert round_trips(trace) == ["Sync"]


@pytest.mark.parametrize(("rate", "count"), [(None, 1), (100.0, 1), (100.0, 5)])
def test_a_post_with_accepted_attempts_takes_three_round_trips(
    functions: Functions, store: Store, tmp_path: Path, rate: float | None, count: int
) -> None:
    if rate is not None:
        store.set_rate(CHANNEL, rate)
    functions.post(channel_body(idempotency_key="opens the connection"))
    (opened,) = clients.database()._kept
    with on_the_wire(opened, tmp_path / "trace"):
        answer = functions.post(channel_body(idempotency_key="usual", count=count))
    statuses = [route["status"] for route in answer.body["routes"]]
    assert statuses == (["published"] * 2 + ["pending"] * 3 if count == 5 else ["published"])
    # It stores, reads the channel's state and reserves, and publishes.
    assert round_trips(tmp_path / "trace") == ["Sync"] * 3
