"""Heart 5 and 6: a route is delivered, and never sent again once its acceptance is known."""

import json
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from dovecote.core.outcome import (
    Delivered,
    Failed,
    NotBegun,
    Result,
)
from dovecote.dispatch.sending.sender import Sender
from dovecote.wiring import dispatch
from local.provider import Fault, Running
from tests.builders import (
    ADDRESS,
    CHANNEL,
    ScriptedChannel,
    a_deliver,
    a_finaliser,
    claim_all,
    claim_lapsed,
    store_routes,
)
from tests.functions import Functions
from tests.integration.deliveries import claim_of, deliver, perform
from tests.sending import channel_body, kind_of, order
from tests.store import Store

Connection = psycopg.Connection[Any]


def test_any_other_channel_is_unknown(functions: Functions, store: Store) -> None:
    claim = claim_of(functions, store)
    assert deliver(replace(claim, channel="fax")) == Failed(error="unknown channel")


def test_nothing_is_begun_when_the_time_is_up(
    functions: Functions, store: Store, provider: Running
) -> None:
    claim = claim_of(functions, store)
    assert perform(dispatch.dispatch().services.deliver, [claim], 0.0) == [
        Result(claim=claim, outcome=NotBegun())
    ]
    assert provider.provider.ledger.attempts == []


def test_no_log_line_names_a_recipient_a_token_or_the_payload(
    capsys: pytest.CaptureFixture[str], functions: Functions, provider: Running
) -> None:
    words = f"cannot reach {ADDRESS} with https://nestbox.example/reset/1 or token {'ab12' * 16}"
    order(provider, Fault.ERROR, message=words)
    functions.post(channel_body())
    for _ in range(4):
        functions.dispatch()
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in printed.splitlines() if "notification routes" in line]
    told = [(line["level"], line["message"], route) for line in lines for route in line["routes"]]
    assert [(level, message, route["attempt"]) for level, message, route in told] == [
        ("INFO", "notification routes retry scheduled", 1),
        ("INFO", "notification routes retry scheduled", 2),
        ("INFO", "notification routes retry scheduled", 3),
        ("WARNING", "notification routes dead-lettered", 4),
    ]
    for _, _, route in told:
        assert route["error"] == "InternalFailure (500)"
        assert (route["kind"], route["channel"]) == (kind_of(), CHANNEL)
        assert route["route_id"]
    assert ADDRESS not in printed
    assert "reset/1" not in printed
    assert "ab12ab12" not in printed


def test_a_route_on_record_as_accepted_is_not_sent_again_after_a_crash(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1)
    (first,) = claim_all(store, seconds=0)
    with store.transaction() as transaction:  # its worker was killed right after this
        transaction.record_acceptances({first.route_id: "m-1"})
    again = claim_lapsed(store)
    assert again is not None
    channel = ScriptedChannel()
    assert perform(a_deliver(store, channel), [again], 60) == [
        Result(claim=again, outcome=Delivered(message_id="m-1"))
    ]
    assert channel.asked == []


def test_an_acceptance_that_came_too_late_is_put_on_record_by_the_next_batch(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1)
    (claim,) = claim_all(store, seconds=0)

    class Late(Sender):
        def late(self) -> list[Result]:
            return [Result(claim=claim, outcome=Delivered(message_id="m-late"))]

    deliver = a_deliver(store, ScriptedChannel(), kind=Late)
    a_finaliser().settle(store, perform(deliver, [], 60), until=0)
    assert connection.execute(
        "select status, provider_message_id from dovecote.notification_routes"
    ).fetchall() == [("published", "m-late")]
    assert store.accepted([claim.route_id]) == {claim.route_id: "m-late"}


def test_an_acceptance_is_put_on_record_once(store: Store, connection: Connection) -> None:
    store_routes(store, 1)
    (claim,) = claim_all(store)
    for message_id in ("first", "second"):
        with store.transaction() as transaction:
            transaction.record_acceptances({claim.route_id: message_id})
    assert store.accepted([claim.route_id]) == {claim.route_id: "first"}
