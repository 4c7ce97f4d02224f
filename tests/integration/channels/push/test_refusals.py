"""A refusal of one device is its route's failure, and delays no other device."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Fault, Order, Running
from tests.functions import environment, run_functions
from tests.integration.passing_time import run_until

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize("denied", [1, 3, 20])
def test_denied_topics_and_devices_of_a_platform_hold_up_no_other_device(
    database_url: str, provider: Running, catalog_folder: Path, connection: Connection, denied: int
) -> None:
    registry = provider.provider.registry
    application = registry.create_application("shop", "GCM")
    quick = {
        "PUSH_APPLICATION_ARNS": application, "BACKOFF_BASE_SECONDS": "0",
        "SEND_CONNECT_SECONDS": "1", "SEND_READ_SECONDS": "1.5", "LEASE_SECONDS": "10",
        "INLINE_ROUTES": "0", "PUSH_TOPIC_ARN": "",
    }  # fmt: skip
    values = environment(database_url, provider.url, catalog_folder, **quick)
    users = [f"bad-{n:02}" for n in range(denied)] + [f"good{n:02}" for n in range(60 - denied)]
    with run_functions(values) as functions:
        for user in users:
            device = {"user_id": user, "device_session_id": "phone", "platform": "fcm"}
            body = json.dumps({**device, "token": f"token-of-{user}"}).encode()
            assert functions.call("PUT", "/devices", body).status == 200
            if user.startswith("bad"):
                provider.provider.give(
                    Order(
                        do=Fault.ERROR, service="sns", status=403, code="AuthorizationError",
                        address=f"token-of-{user}", message="not authorized",
                    )
                )  # fmt: skip
        body = {
            "kind": "order.shipped", "idempotency_key": "push",
            "payload": {"order_id": "1234", "carrier": "DHL", "first_name": "Ann"},
            "recipients": [{"user_id": user} for user in users],
        }  # fmt: skip
        assert functions.post(body).status == 202
        run_until(functions, connection, 60)
    found = connection.execute(
        "select left(user_id, 4), status, attempts, count(*) from dovecote.notification_routes"
        " where channel = 'push' group by 1, 2, 3 order by 1"
    ).fetchall()
    assert [row for row in found if row[0] == "good"] == [("good", "published", 1, 60 - denied)]
    (bad,) = [row for row in found if row[0] == "bad-"]
    assert (bad[1], bad[3]) == ("dead_lettered", denied)
