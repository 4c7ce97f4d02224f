"""Push to a device or the topic, and devices whose endpoints are gone."""

import json
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from msgspec.structs import replace

from dovecote.core.outcome import (
    Failed,
    Permanent,
    Result,
    Unreachable,
)
from dovecote.core.route import Target
from dovecote.wiring.settings import load
from local.provider import Fault, Running
from tests.builders import (
    a_finaliser,
    claim_all,
)
from tests.canary import CANARY
from tests.functions import Functions, environment, run_functions
from tests.integration.channels.push.devices import (
    PHONE,
    applications,
    device_routes,
    post_scheduled,
    post_to_device,
    pushing,
    put_device,
    register,
    sent_pushes,
)
from tests.integration.deliveries import claim_of, deliver
from tests.sending import a_body, order
from tests.store import Store
from tests.unit.examples import TRACEPARENT

Connection = psycopg.Connection[Any]
__all__ = ["applications", "pushing"]
TRACE = TRACEPARENT.split("-")[1]


def test_push_without_a_user_fails_in_words(functions: Functions, store: Store) -> None:
    claim = claim_of(functions, store)
    for blank in (None, "", " "):
        route = replace(claim, channel="push", target=Target.TOPIC, user_id=blank)
        assert deliver(route) == Failed(error="push route missing user_id", asked=False)


def test_push_to_a_device_has_the_client_event_within_the_platforms_envelope(
    pushing: Functions, provider: Running
) -> None:
    assert register(pushing, "phone", "apns", "a" * 64) == 200
    assert register(pushing, "tablet", "fcm", "b" * 64) == 200
    body = json.dumps(a_body(recipients=[{"user_id": "u-1", "data": {"first_name": "Ann"}}]))
    answer = pushing.post(body.encode(), {"traceparent": TRACEPARENT})
    routes = {r["device_session_id"]: r for r in answer.body["routes"] if r["channel"] == "push"}
    assert {route["status"] for route in routes.values()} == {"published"}
    apns, gcm = (json.loads(push.payload) for push in sent_pushes(provider))
    assert set(apns.pop("aps")["alert"]) == {"title", "body"}
    event = {
        "event_id": routes["phone"]["route_id"],
        "request_id": "order-1234-shipped",
        "trace_id": TRACE,
        "kind": "order.shipped",
        "user_id": "u-1",
        "device_session_id": "phone",
        "payload": {"order_id": "1234", "carrier": f"{CANARY} post", "first_name": "Ann"},
    }
    assert apns == event
    message = gcm["fcmV1Message"]["message"]
    assert set(message["notification"]) == {"title", "body"}
    assert message["data"] == {
        **event,
        "event_id": routes["tablet"]["route_id"],
        "device_session_id": "tablet",
        "payload": message["data"]["payload"],
    }
    assert json.loads(message["data"]["payload"]) == event["payload"]
    assert message["android"]["notification"] == {"tag": routes["tablet"]["route_id"]}
    hours_72 = 72 * 3600
    assert int(message["webpush"]["headers"]["TTL"]) == pytest.approx(hours_72, abs=60)
    expires_at = int(message["apns"]["headers"]["apns-expiration"])
    assert expires_at == pytest.approx(time.time() + hours_72, abs=60)


def test_push_to_the_topic_is_the_bare_client_event(
    database_url: str, provider: Running, catalog_folder: Path, applications: dict[str, str]
) -> None:
    topic = applications["topic"]
    values = environment(database_url, provider.url, catalog_folder, PUSH_TOPIC_ARN=topic)
    with run_functions(values) as functions:
        answer = functions.post(
            a_body(recipients=[{"user_id": "u-9", "data": {"first_name": "Ann"}}])
        )
    (route,) = [r for r in answer.body["routes"] if r["channel"] == "push"]
    (push,) = sent_pushes(provider)
    event = json.loads(push.message)
    assert (push.target, push.structure) == (topic, None)
    assert event["event_id"] == route["route_id"]
    assert len(event["trace_id"]) == 32
    assert set(event) == {
        "event_id", "request_id", "trace_id", "kind", "user_id", "device_session_id", "payload",
    }  # fmt: skip


def test_a_device_that_is_gone_by_then_makes_its_route_skipped(
    pushing: Functions, connection: Connection
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    post_scheduled(pushing, connection)
    # As one that goes while the route is stored, which it then does not see.
    connection.execute("delete from dovecote.push_devices")
    assert pushing.dispatch()["skipped"] == 1
    assert device_routes(connection) == [("skipped", 0, "device is dead or no longer registered")]
    assert connection.execute(
        "select count(*) from dovecote.notification_dead_letters"
    ).fetchone() == (0,)


def test_a_device_whose_endpoint_is_disabled_is_dead_until_it_registers_anew(
    pushing: Functions, connection: Connection, provider: Running
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    (endpoint,) = provider.provider.registry.endpoints.values()
    endpoint.attributes["Enabled"] = "false"
    post_to_device(pushing)
    ((status, attempts, error),) = device_routes(connection)
    assert (status, attempts) == ("dead_lettered", 1)
    assert error.startswith("EndpointDisabled (400)")
    (skipped,) = [
        route
        for route in post_to_device(pushing, idempotency_key="again").body["routes"]
        if route["channel"] == "push"
    ]
    assert (skipped["status"], skipped["last_error"]) == ("skipped", "user has no device")
    register(pushing, "phone", "apns", "a" * 64)
    post_to_device(pushing, idempotency_key="and-again")
    assert device_routes(connection)[-1][:2] == ("published", 1)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("InvalidParameter", 400, None),  # the provider's own words for a deleted endpoint
        ("NotFound", 404, "Endpoint does not exist"),
    ],
)
def test_a_device_whose_endpoint_is_gone_is_dead_until_it_registers_again(
    pushing: Functions,
    connection: Connection,
    provider: Running,
    code: str,
    status: int,
    words: str | None,
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    later = post_scheduled(pushing, connection).body["notification_id"]
    if words is None:
        provider.provider.registry.endpoints.clear()
    else:
        order(
            provider, Fault.ERROR, service="sns", times=1, status=status, code=code, message=words
        )
    post_to_device(pushing, idempotency_key="now")
    assert device_routes(connection)[-1][:2] == ("dead_lettered", 1)
    assert device_routes(connection)[-1][2].startswith(f"{code} ({status}): ")
    assert pushing.call("GET", PHONE).body["devices"][0]["dead_at"] is not None
    (waiting,) = [
        route
        for route in pushing.call("GET", f"/notifications/{later}").body["routes"]
        if route["channel"] == "push"
    ]
    assert waiting["status"] == "skipped"
    assert register(pushing, "phone", "apns", "a" * 64) == 200
    post_to_device(pushing, idempotency_key="again")
    assert device_routes(connection)[-1][:2] == ("published", 1)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("NotFound", 404, "PlatformApplication does not exist"),
        ("NotFound", 404, "Topic does not exist"),
        ("InvalidParameter", 400, "Invalid parameter: Message Reason: Invalid notification"),
    ],
)
def test_another_refusal_leaves_the_device_alive(
    pushing: Functions, provider: Running, code: str, status: int, words: str
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    order(provider, Fault.ERROR, service="sns", status=status, code=code, message=words)
    post_to_device(pushing)
    assert pushing.call("GET", PHONE).body["devices"][0]["dead_at"] is None


def test_a_missing_topic_kills_no_device(
    database_url: str, provider: Running, catalog_folder: Path, applications: dict[str, str]
) -> None:
    values = environment(
        database_url,
        provider.url,
        catalog_folder,
        PUSH_TOPIC_ARN=applications["topic"],
        PUSH_APPLICATION_ARNS=applications["APNS"],
    )
    with run_functions(values) as functions:
        register(functions, "phone", "apns", "a" * 64)
        provider.provider.registry.topics.clear()
        post_to_device(functions)
        assert functions.call("GET", PHONE).body["devices"][0]["dead_at"] is None


@pytest.mark.parametrize("same_id", [True, False])
def test_a_device_that_registers_while_a_push_finds_its_endpoint_gone_stays_alive(
    pushing: Functions, connection: Connection, store: Store, provider: Running, same_id: bool
) -> None:
    if same_id:
        provider.provider.registry.endpoint_id = lambda token: uuid.uuid5(uuid.NAMESPACE_OID, token)
    register(pushing, "phone", "apns", "a" * 64)
    post_scheduled(pushing, connection)
    (claim,) = claim_all(store)
    provider.provider.registry.endpoints.clear()
    outcome = deliver(claim)
    assert isinstance(outcome, Permanent)
    assert outcome.dead_endpoint == claim.endpoint
    register(pushing, "phone", "apns", "a" * 64)
    a_finaliser().settle(store, [Result(claim=claim, outcome=outcome)], until=0)
    assert pushing.call("GET", PHONE).body["devices"][0]["dead_at"] is None


def test_a_route_to_a_dead_device_reaches_nobody(
    pushing: Functions, connection: Connection, store: Store, provider: Running
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    post_scheduled(pushing, connection)
    connection.execute("update dovecote.push_devices set dead_at = now()")
    (claim,) = claim_all(store)
    assert deliver(claim) == Unreachable(reason="device is dead or no longer registered")
    assert provider.provider.ledger.attempts == []


def test_an_application_that_is_disabled_pauses_alone(
    pushing: Functions, connection: Connection, store: Store, provider: Running
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    register(pushing, "tablet", "fcm", "b" * 64)
    order(
        provider,
        Fault.ERROR,
        service="sns",
        address="a" * 64,
        status=400,
        code="PlatformApplicationDisabled",
    )
    post_to_device(pushing)
    error = "PlatformApplicationDisabled (400)"
    assert sorted(device_routes(connection)) == [("pending", 0, error), ("published", 1, None)]
    assert store.channel_state("push").paused == {"push/APNS/app"}


def test_deleting_an_unknown_device_is_a_404(pushing: Functions) -> None:
    assert pushing.call("DELETE", PHONE).status == 404


def test_a_new_token_leaves_no_endpoint_of_the_old_one(
    pushing: Functions, provider: Running
) -> None:
    for token in ("a", "b", "c"):
        register(pushing, "phone", "apns", token * 64)
    assert [e.attributes["Token"] for e in provider.provider.registry.endpoints.values()] == [
        "c" * 64
    ]
    assert pushing.call("DELETE", PHONE).status == 204
    assert provider.provider.registry.endpoints == {}


def test_sns_out_of_reach_is_a_503_and_the_same_call_again_finishes_it(
    pushing: Functions,
    database_url: str,
    catalog_folder: Path,
    connection: Connection,
    provider: Running,
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    arns = load().of("push").push_application_arns
    values = environment(
        database_url, "http://127.0.0.1:9", catalog_folder, PUSH_APPLICATION_ARNS=arns
    )
    with run_functions(values) as cut_off:
        assert register(cut_off, "tablet", "apns", "b" * 64) == 503
        for _ in range(2):
            assert cut_off.call("DELETE", PHONE).status == 503
    assert len(provider.provider.registry.endpoints) == 1
    with run_functions({**values, "AWS_ENDPOINT_URL": provider.url}) as again:
        assert again.call("DELETE", PHONE).status == 204
        assert again.call("DELETE", PHONE).status == 404
    assert provider.provider.registry.endpoints == {}
    for table in ("push_devices", "retired_endpoints"):
        query = f"select count(*) from dovecote.{table}".encode()  # noqa: S608 - our own
        assert connection.execute(query).fetchone() == (0,)


def test_a_user_may_be_called_anything(pushing: Functions, connection: Connection) -> None:
    put = put_device(pushing, "a/b c#\u00e9", "phone", platform="apns", token="a" * 64)
    assert put.body["user_id"] == "a/b c#\u00e9"
    user = quote("a/b c#\u00e9", safe="")
    path = f"/devices?user_id={user}&device_session_id=phone"
    assert pushing.call("DELETE", path).status == 204


def test_a_token_that_changes_hands_goes_to_its_new_user(
    pushing: Functions, connection: Connection
) -> None:
    register(pushing, "phone", "apns", "a" * 64)
    put = put_device(pushing, "u-2", "phone", platform="apns", token="a" * 64)
    assert put.status == 200
    assert connection.execute(
        "select user_id, device_session_id from dovecote.push_devices"
    ).fetchall() == [("u-2", "phone")]


@pytest.mark.parametrize(
    "body", [{"platform": "pager", "token": "t"}, {"platform": "apns"}, {"token": "t"}, {}]
)
def test_a_device_that_cannot_be_registered_is_a_422(
    pushing: Functions, connection: Connection, body: dict[str, str]
) -> None:
    answer = put_device(pushing, "u-1", "phone", **body)
    assert answer.status == 422
    assert connection.execute("select count(*) from dovecote.push_devices").fetchone() == (0,)
