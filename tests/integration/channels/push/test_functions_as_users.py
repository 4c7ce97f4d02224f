"""Each function does its work with devices as its own user of the database."""

import json
from functools import partial
from typing import Any

import psycopg
import pytest

from local.provider import Fault, Running
from tests.integration.channels.push.devices import PHONE, applications, register
from tests.integration.test_functions_as_users import As, Due, as_function, count, due, statuses
from tests.integration.test_roles import names, users
from tests.sending import channel_body, order

Connection = psycopg.Connection[Any]

__all__ = ["applications", "as_function", "due", "names", "users"]
WITHOUT_TOPIC = {"PUSH_TOPIC_ARN": ""}


@pytest.fixture
def pushing(as_function: As, applications: dict[str, str]) -> As:
    """Wire the functions with platform applications and without a topic."""
    arns = ",".join((applications["APNS"], applications["GCM"]))
    return partial(as_function, PUSH_APPLICATION_ARNS=arns, **WITHOUT_TOPIC)


def test_submit_sends_to_a_device_and_answers_again(pushing: As, connection: Connection) -> None:
    body = channel_body("push")
    with pushing("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
    with pushing("Submit") as functions:
        assert functions.post(body).status == 202
        assert functions.post(body).headers["idempotent-replayed"] == "true"
    assert statuses(connection) == [("push", "published")]


def test_submit_buries_a_device_that_the_provider_has_disabled(
    pushing: As, connection: Connection, provider: Running
) -> None:
    with pushing("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
    order(provider, Fault.ERROR, service="sns", status=400, code="EndpointDisabled", times=1)
    with pushing("Submit") as functions:
        functions.post(channel_body("push"))
    assert statuses(connection) == [("push", "dead_lettered")]
    assert connection.execute("select dead_at is not null from push_devices").fetchone() == (True,)


def test_dispatch_buries_a_device_that_is_dead_and_skips_one_that_is_gone(
    pushing: As, connection: Connection, due: Due, provider: Running
) -> None:
    with pushing("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
        assert register(functions, "tablet", "fcm", "b" * 64) == 200
    order(provider, Fault.ERROR, service="sns", status=400, code="EndpointDisabled", times=1)
    due(channel_body("push"), **WITHOUT_TOPIC)
    connection.execute("delete from push_devices where platform = 'fcm'")
    with pushing("Dispatch") as functions:
        tally = functions.dispatch()
    assert (tally["published"], tally["dead_lettered"], tally["skipped"]) == (0, 1, 1)
    assert connection.execute("select count(dead_at) from push_devices").fetchone() == (1,)


def test_api_keeps_devices(pushing: As, connection: Connection) -> None:
    with pushing("Api") as functions:
        for session, token in (("phone", "a"), ("phone", "b"), ("tablet", "b"), ("phone", "c")):
            assert register(functions, session, "apns", token * 64) == 200
        assert functions.call("DELETE", PHONE).status == 204
    assert count(connection, "push_devices") == 1


def test_feedback_buries_a_device_that_sns_tells_of(pushing: As, connection: Connection) -> None:
    with pushing("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
    found = connection.execute("select endpoint from push_devices").fetchone()
    assert found is not None
    event = {
        "EventType": "DeliveryFailure",
        "FailureType": "EndpointDisabled",
        "EndpointArn": found[0],
        "Time": "2999-01-01T00:00:00Z",
    }
    with pushing("Feedback") as functions:
        assert functions.feedback(json.dumps(event)) == {"batchItemFailures": []}
    assert connection.execute("select count(dead_at) from push_devices").fetchone() == (1,)
