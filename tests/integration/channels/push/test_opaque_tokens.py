"""Device tokens and endpoints are opaque: up to 4,096 bytes of them are kept."""

import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from dovecote.core.device import Device
from dovecote.core.outcome import Permanent, Result
from dovecote.store.people.devices import PostgresDevices
from local.provider import Running
from local.provider.ledger import Push
from tests.builders import a_finaliser, claim_all, store_routes
from tests.functions import PROBLEM, Answer, Functions
from tests.integration.channels.push.devices import PHONE, applications, post_to_device, pushing
from tests.integration.opaque import WIDE, opaque
from tests.store import Store

Connection = psycopg.Connection[Any]
__all__ = ["applications", "pushing"]


def put(
    functions: Functions, token: str, *, escaped: bool = False, platform: str = "fcm"
) -> Answer:
    device = {"user_id": "u-1", "device_session_id": "phone", "platform": platform}
    body = json.dumps({**device, "token": token}, ensure_ascii=False)
    if escaped:
        spelt = "".join(f"\\u{ord(letter):04x}" for letter in token)
        body = json.dumps({**device, "token": "?"}).replace("?", spelt)
    return functions.call("PUT", "/devices", body.encode())


@pytest.mark.parametrize("width", WIDE)
@pytest.mark.parametrize("size", [1, 255, 256, 257, 1024, 2704, 4095, 4096])
def test_a_token_of_up_to_4096_bytes_is_registered_reached_and_forgotten(
    pushing: Functions, provider: Running, connection: Connection, size: int, width: int
) -> None:
    token = opaque(size, width)
    assert len(token.encode()) == size
    for _ in range(2):
        assert put(pushing, token).status == 200
    stored = connection.execute("select token from dovecote.push_devices").fetchall()
    assert stored == [(token,)]
    post_to_device(pushing)
    pushing.dispatch()  # where submit had no time to send it
    (row,) = provider.provider.ledger.accepted
    assert isinstance(row.content, Push)
    known = provider.provider.registry.endpoints[row.target]
    assert known.attributes["Token"] == token
    assert pushing.call("DELETE", PHONE).status == 204
    assert provider.provider.registry.endpoints == {}


@pytest.mark.parametrize("platform", ["apns", "fcm"])
@pytest.mark.parametrize("letter", ["a", "<", "é"])
def test_a_token_of_4096_bytes_may_be_escaped_in_json(
    pushing: Functions, connection: Connection, letter: str, platform: str
) -> None:
    token = letter * (4096 // len(letter.encode()))
    assert put(pushing, token, escaped=True, platform=platform).status == 200
    assert connection.execute("select token from dovecote.push_devices").fetchone() == (token,)


@pytest.mark.parametrize("width", WIDE)
@pytest.mark.parametrize("size", [4097, 4100, 8192])
def test_a_longer_token_is_refused_in_words(
    pushing: Functions, provider: Running, size: int, width: int
) -> None:
    answer = put(pushing, opaque(size, width))
    assert (answer.status, answer.headers["content-type"]) == (422, PROBLEM)
    fault = {"pointer": "/token", "detail": "is longer than 4,096 bytes in UTF-8"}
    assert answer.body["errors"] == [fault]
    assert provider.provider.registry.endpoints == {}


@pytest.mark.parametrize("token", ["", " ", "\n", "a\tb", "a\x7f"])
def test_a_token_that_is_blank_or_has_control_characters_is_refused(
    pushing: Functions, token: str
) -> None:
    answer = put(pushing, token, escaped=True)
    assert answer.status == 422
    assert [fault["pointer"] for fault in answer.body["errors"]] == ["/token"]


def a_device(user: str, endpoint: str) -> Device:
    return Device(
        user_id=user, device_session_id="phone", platform="fcm", token=opaque(4096),
        endpoint=endpoint,
    )  # fmt: skip


@pytest.mark.parametrize("width", WIDE)
def test_an_endpoint_of_4096_bytes_is_one_device_s_alone_and_is_found(
    store: Store, devices: PostgresDevices, connection: Connection, width: int
) -> None:
    endpoint, other = opaque(4096, width), opaque(4092, width)
    devices.put(a_device("u-1", endpoint))
    assert devices.put(a_device("u-2", endpoint)) == []
    assert devices.using(endpoint) == a_device("u-2", endpoint)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        connection.execute(
            "insert into dovecote.push_devices"
            " (user_id, device_session_id, platform, token, endpoint)"
            " values ('u-3', 'phone', 'fcm', 't', %s)",
            (endpoint,),
        )
    assert store.mark_device_dead(endpoint, datetime.now(UTC))
    assert devices.put(a_device("u-2", other)) == [endpoint]
    devices.endpoint_deleted("u-2", "phone", endpoint)
    assert devices.delete("u-2", "phone") == [other]
    assert devices.using(other) is None


def test_a_push_that_finds_an_endpoint_of_4096_bytes_gone_marks_its_device_dead(
    store: Store, devices: PostgresDevices
) -> None:
    devices.put(a_device("u-1", opaque(4096)))
    store_routes(store, 1, "push")
    (claim,) = claim_all(store)
    outcome = Permanent(error="no", dead_endpoint=opaque(4096))
    a_finaliser().settle(store, [Result(claim=claim, outcome=outcome)], until=0)
    assert [device.dead for device in store.devices(["u-1"])] == [True]
