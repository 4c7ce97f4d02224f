"""Devices that the provider no longer reaches are dead until they register again."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from dovecote.core.device import Device
from dovecote.core.outcome import Permanent
from dovecote.feedback.record_feedback import RecordFeedback
from dovecote.store.people.devices import PostgresDevices
from tests.builders import RecordingLog, claim_all, claim_lapsed, store_routes
from tests.integration.test_finaliser import claim_one, settle
from tests.store import Store

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize(
    ("minutes", "dead"),
    [
        (1, True),  # told after it registered
        (-1, False),  # reported before the device registered again
    ],
)
def test_a_device_that_sns_tells_of_is_dead_unless_it_registered_since(
    store: Store, connection: Connection, minutes: int, dead: bool
) -> None:
    connection.execute(
        "insert into dovecote.push_devices (user_id, device_session_id, platform, token, endpoint)"
        " values ('u-1', 'd-1', 'fcm', 't-1', 'e-1'), ('u-2', 'd-2', 'fcm', 't-2', 'e-2')"
    )
    (now,) = connection.execute("select clock_timestamp()").fetchone() or ()
    event = {
        "EventType": "DeliveryFailure",
        "FailureType": "EndpointDisabled",
        "EndpointArn": "e-1",
        "Time": (now + timedelta(minutes=minutes)).isoformat(),
    }
    take = RecordFeedback(store=store)
    assert [take(json.dumps(event)).settled for _ in range(2)] == [dead, False]
    buried = connection.execute(
        "select device_session_id from dovecote.push_devices where dead_at is not null"
    ).fetchall()
    assert buried == ([("d-1",)] if dead else [])


def test_the_device_of_a_disabled_endpoint_is_dead_until_it_registers_anew(
    store: Store, devices: PostgresDevices
) -> None:
    own = [
        Device(user_id="u-1", device_session_id=s, platform="fcm", token=s, endpoint=f"arn:{s}")
        for s in ("phone", "tablet")
    ]
    for device in own:
        devices.put(device)
    claim = claim_one(store, "push")
    settle(store, claim, Permanent(error="no", dead_endpoint="arn:phone"), RecordingLog())
    assert [(d.device_session_id, d.dead) for d in store.devices(["u-1"])] == [
        ("phone", True), ("tablet", False),
    ]  # fmt: skip
    devices.put(own[0])
    assert not any(device.dead for device in store.devices(["u-1"]))


def test_a_late_worker_too_tells_of_a_dead_device(store: Store, devices: PostgresDevices) -> None:
    devices.put(
        Device(user_id="u-1", device_session_id="d", platform="fcm", token="t", endpoint="arn:d")
    )
    store_routes(store, 1, "push")
    (late,) = claim_all(store, seconds=0)
    assert claim_lapsed(store, "push") is not None
    settle(store, late, Permanent(error="no", dead_endpoint="arn:d"), RecordingLog())
    assert [device.dead for device in store.devices(["u-1"])] == [True]
